drop view sums; drop aggregate total(integer);
