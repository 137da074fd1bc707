alter table t alter id set increment by -1 set minvalue -1000 set maxvalue 0 set start with -1 restart;
