create view v as select 'a' as x;
