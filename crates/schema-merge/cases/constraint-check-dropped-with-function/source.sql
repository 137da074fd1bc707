drop function ok(int);
