create table above (a int, constraint positive check (a > 0)); create table below () inherits (above);
