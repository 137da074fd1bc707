create table t (a text, b text); grant select (a) on t to anon;
