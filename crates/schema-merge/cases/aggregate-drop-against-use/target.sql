create view sums as select total(x) as t from generate_series(1, 3) x;
