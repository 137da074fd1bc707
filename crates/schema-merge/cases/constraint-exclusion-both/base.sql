create table r (id int, during tsrange);
