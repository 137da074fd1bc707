create function note() returns event_trigger language plpgsql as $$ begin null; end $$;
