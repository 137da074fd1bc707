create table people of person (name primary key, born with options default '2000-01-01');
