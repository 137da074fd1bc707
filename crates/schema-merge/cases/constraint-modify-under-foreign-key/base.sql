create table p (id int constraint p_key primary key, code text not null); create table c (p_id int constraint c_p references p);
