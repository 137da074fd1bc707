comment on function f(int) is 'int';
