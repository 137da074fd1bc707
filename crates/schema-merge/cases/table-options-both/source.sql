alter table t set (fillfactor = 70);
