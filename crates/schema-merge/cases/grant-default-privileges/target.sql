create table u (id serial);
