drop function total(integer);
create aggregate total(integer) (sfunc = add_to, stype = numeric, initcond = '0');
