create function full_name(p people) returns text language sql stable as $$ select p.first || ' ' || p.last $$;
create function everyone() returns setof people language sql stable as $$ select * from people $$;
create view named as select full_name(p) as n from people p;
alter table people add age int;
