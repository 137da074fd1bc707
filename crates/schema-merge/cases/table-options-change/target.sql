alter table t set (autovacuum_vacuum_scale_factor = 0.2);
