grant select (b) on t to anon;
