alter table parts add column more text;
