create table p (id int not null constraint p_once unique); create table c (p_id int constraint c_p references p (id));
