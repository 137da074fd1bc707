create aggregate total(int) (sfunc = int4pl, stype = int); create aggregate other(int) (sfunc = int4pl, stype = int);
