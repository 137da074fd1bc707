alter table people add column mail text;
