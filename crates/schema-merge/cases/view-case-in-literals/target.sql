create or replace view v as select 'b' as x;
