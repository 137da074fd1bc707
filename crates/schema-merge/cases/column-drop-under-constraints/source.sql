drop policy q on t; alter table t drop constraint both_ok; alter table t drop column x;
