create table people (id int not null, name text default 'n');
