create table t (a int, b text, constraint later check (a > 0) not valid); create function ok(text) returns boolean language sql immutable as 'select $1 <> ''''';
