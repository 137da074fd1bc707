alter table b.t add column x int;
