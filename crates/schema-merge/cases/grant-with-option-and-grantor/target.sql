grant insert on t to anon;
