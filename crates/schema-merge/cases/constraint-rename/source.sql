alter table t rename constraint a_old to a_new;
