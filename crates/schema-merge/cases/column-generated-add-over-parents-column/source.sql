alter table t add column c int generated always as (a + b) stored;
