create function app.rate() returns int language plpgsql as $$ begin return (select max(value) from rates); end $$;
