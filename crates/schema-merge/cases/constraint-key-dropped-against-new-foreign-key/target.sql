create table c (p_id int references p);
