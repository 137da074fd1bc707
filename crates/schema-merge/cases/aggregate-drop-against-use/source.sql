drop aggregate total(integer);
