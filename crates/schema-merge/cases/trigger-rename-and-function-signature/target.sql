create or replace function n() returns trigger language plpgsql as 'begin new.id := 1; return new; end';
