create function ddl() returns event_trigger language plpgsql as 'begin null; end';
