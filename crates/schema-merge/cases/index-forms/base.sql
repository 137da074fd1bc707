create table t (a text, b int, c jsonb, d tsrange, e text[], f int);
