create domain short as varchar(20) check (ok(value)); create domain shorter as short check (length(value) < 5); create table t (a shorter, b short[]);
