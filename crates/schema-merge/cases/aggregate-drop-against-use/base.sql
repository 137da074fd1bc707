create function add_to(state numeric, value integer) returns numeric language sql immutable as $$ select coalesce(state, 0) + coalesce(value, 0) $$;
create function combine(a numeric, b numeric) returns numeric language sql immutable as $$ select a + b $$;
create function finish(state numeric) returns text language sql immutable as $$ select state::text $$;
create function take_from(state numeric, value integer) returns numeric language sql immutable as $$ select state - value $$;

create aggregate total(integer) (sfunc = add_to, stype = numeric, initcond = '0');
