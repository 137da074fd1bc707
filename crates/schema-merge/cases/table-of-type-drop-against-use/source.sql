drop type person;
