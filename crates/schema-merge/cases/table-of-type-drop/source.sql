drop table people; drop type person;
