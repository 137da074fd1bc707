alter table people add city text;
