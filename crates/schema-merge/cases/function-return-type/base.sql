create function f(a int) returns int language sql as 'select 1'; comment on function f(int) is 'x'; revoke execute on function f(int) from public; grant execute on function f(int) to anon;
