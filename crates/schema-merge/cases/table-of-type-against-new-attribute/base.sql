create type person as (name text);
