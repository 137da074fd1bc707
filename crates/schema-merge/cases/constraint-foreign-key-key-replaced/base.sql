create table p (a int, b int, constraint k primary key (a)); create table c (a int);
