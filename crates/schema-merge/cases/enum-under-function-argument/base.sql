create type level as enum ('a', 'b'); create function f(l level default 'a') returns level language sql as $$ select l $$; create view v as select 'a'::level as l;
