alter table c add column x int;
