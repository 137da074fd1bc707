alter table above add column c int;
