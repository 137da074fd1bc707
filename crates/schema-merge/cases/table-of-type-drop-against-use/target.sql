create table people of person;
