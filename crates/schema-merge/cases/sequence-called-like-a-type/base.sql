create table t (id serial primary key); create domain ids as text;
