alter table t set (fillfactor = 80);
