create sequence s; create table t (a int, b text, c text[], d timestamptz, e text default 'x', f int default 3, g jsonb);
