create table people of person (name primary key);
