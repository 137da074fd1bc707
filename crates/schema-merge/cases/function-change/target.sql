grant execute on function f(int) to anon; revoke execute on function f(int) from public;
