drop procedure old_one(int);
create procedure fresh(a int, out b text, variadic rest int[] default '{}') language plpgsql security definer set search_path to 'public', pg_temp as $$ begin b := a::text; end $$;
create or replace procedure keep(inout total int, step int default 2) language plpgsql as $$ begin total := total + step * 2; end $$;
comment on procedure fresh(int, int[]) is 'new';
grant execute on procedure fresh(int, int[]) to anon;
