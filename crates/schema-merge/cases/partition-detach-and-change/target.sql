alter table parts add column d int;
