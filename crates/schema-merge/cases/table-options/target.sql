alter table notes set (autovacuum_enabled=false);
