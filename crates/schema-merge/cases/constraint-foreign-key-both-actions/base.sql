create table p (id int primary key); create table c (p_id int constraint f references p);
