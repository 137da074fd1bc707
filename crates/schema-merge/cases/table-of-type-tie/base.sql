create type person as (name text, born date);
create table loose (name text, born date, check (born > '1900-01-01'));
create table tied of person;
