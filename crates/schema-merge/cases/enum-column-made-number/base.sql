create type mood as enum ('good', 'bad');
create table notes (id int primary key, feeling mood);
insert into notes values (1, 'good');
