create function f() returns text language plpgsql as $$ begin return (select max(body) from public.notes); end $$;
