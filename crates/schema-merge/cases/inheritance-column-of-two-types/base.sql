create table animals (id int primary key, name text);
create table dogs (breed text) inherits (animals);
