create function note() returns event_trigger language plpgsql as $$ begin null; end $$;
reset role; create event trigger watch on ddl_command_end execute function public.note();
