create or replace function twice(int) returns int language sql immutable as 'select $1 + $1'; alter table t add column c int generated always as (twice(a) + 1) stored;
