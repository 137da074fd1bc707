create table p (id int primary key, code text); create table a_first (code text);
