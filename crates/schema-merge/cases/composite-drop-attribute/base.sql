create type address as (street text, zip text); create table t (a address);
