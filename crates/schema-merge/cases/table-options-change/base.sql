create table t (a int) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.1);
