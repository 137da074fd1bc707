create table p (a int, b int, primary key (a, b)); create table c1 (a int, b int, constraint f foreign key (a, b) references p); create table c2 (a int, b int); create table c3 (a int, b int);
