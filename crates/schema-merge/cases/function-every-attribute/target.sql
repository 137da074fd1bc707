comment on function f(int) is 'f'; comment on function g(int) is 'g';
