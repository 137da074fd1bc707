alter table a drop constraint a_b; drop table b; drop table a;
