create table t (a text); create index i on t (a); create index j on t (lower(a));
