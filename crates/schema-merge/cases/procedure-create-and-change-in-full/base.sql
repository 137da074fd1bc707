create procedure old_one(a int) language sql as 'select a';
create procedure keep(inout total int, step int default 1) language plpgsql as $$ begin total := total + step; end $$;
