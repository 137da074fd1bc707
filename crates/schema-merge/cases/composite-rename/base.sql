create type address as (street text); create table t (a address); create function f() returns address language sql as $$ select row('x')::address $$;
