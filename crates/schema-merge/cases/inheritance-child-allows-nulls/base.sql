create table parents (id serial primary key, title text);
create table children (amount int) inherits (parents);
