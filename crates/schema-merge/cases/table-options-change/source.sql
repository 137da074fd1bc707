alter table t reset (fillfactor);
