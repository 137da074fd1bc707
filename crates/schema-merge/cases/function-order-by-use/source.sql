create function z() returns int language sql return 1; create function m() returns int language sql return z() + 1; create function a() returns int language sql return m() + 1;
