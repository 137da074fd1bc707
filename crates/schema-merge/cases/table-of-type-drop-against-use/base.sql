create type person as (name text, born date);
