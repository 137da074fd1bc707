create or replace view v as select 'A' as x;
