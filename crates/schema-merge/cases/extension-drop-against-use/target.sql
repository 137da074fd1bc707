create table t (h hstore);
