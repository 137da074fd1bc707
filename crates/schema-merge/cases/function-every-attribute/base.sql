create function f(a int) returns setof int language sql as 'select a';
create function g(a int) returns int language plpgsql stable strict cost 7 parallel safe set work_mem to '8MB' set search_path to public as $$ begin return a; end $$;
