drop function total(); create function total() returns varchar language sql as $$ select '1'::varchar $$;
