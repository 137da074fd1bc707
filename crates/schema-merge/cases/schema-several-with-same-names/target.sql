alter table a.t add column x text;
