alter table parts set (fillfactor = 90);
