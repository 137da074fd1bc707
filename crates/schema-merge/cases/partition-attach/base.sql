create table parts (a int not null, b text) partition by range (a); create table old (a int not null, b text); insert into old values (1, 'x');
