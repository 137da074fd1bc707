drop view sums;
drop aggregate total(integer);
create aggregate total(integer) (sfunc = add_to, stype = numeric, initcond = '5', finalfunc = finish);
create view sums as select total(x) as t from generate_series(1, 3) x;
grant select on sums to anon;
comment on view sums is 'kept';
