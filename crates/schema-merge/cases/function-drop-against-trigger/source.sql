drop function g();
