create function f(n notes) returns text language sql as 'select n.title';
