create function score(a text, b int default 1) returns bigint language sql return 2;
create function score(a int, b int, c int default 1) returns bigint language sql return 3;
