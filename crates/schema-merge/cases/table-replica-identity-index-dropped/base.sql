create table a (id int not null); create unique index a_id on a (id);
