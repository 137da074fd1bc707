alter table t drop column b; alter table t add column b int generated always as (a + 2) stored;
