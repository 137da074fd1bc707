create table t (id int primary key, n varchar(10) default '5', constraint n_ok check (n <> ''));
