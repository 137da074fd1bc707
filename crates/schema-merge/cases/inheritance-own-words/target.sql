alter table people add column mail text default 'm' not null; create index staff_name on staff (name);
