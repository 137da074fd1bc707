create function f(a text default E'x\\''; drop table t; --') returns text language plpgsql as $body$ begin return '$$ ; $body' || '$' || E'\\'; end $body$;
create function g() returns text language sql as ' select ''$$''::text ';
comment on function f(text) is E'it''s; drop table t; -- \\ $$ 
 new line';
alter table t add note text default '''); drop table t; --';
alter table t add constraint c check (note <> E'\\'';');
