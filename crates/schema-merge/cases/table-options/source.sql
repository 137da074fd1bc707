alter table notes set (fillfactor=70); alter table notes set (toast.autovacuum_enabled=false);
