alter table empty add column a int; create table also_empty ();
