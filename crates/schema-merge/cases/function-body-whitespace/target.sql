comment on function f() is 'x';
