create table p (id int constraint p_key primary key);
