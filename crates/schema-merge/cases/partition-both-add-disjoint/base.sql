create table parts (a int) partition by range (a);
