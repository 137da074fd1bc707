create function note() returns event_trigger language plpgsql as $$ begin null; end $$;
reset role;
create event trigger watch on ddl_command_end when tag in ('CREATE TABLE') execute function public.note();
create event trigger other on ddl_command_start execute function public.note();
