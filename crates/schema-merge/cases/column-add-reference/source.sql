create table owners (id int primary key); alter table notes add column owner_id int references owners on delete set null;
