grant select on t to anon;
