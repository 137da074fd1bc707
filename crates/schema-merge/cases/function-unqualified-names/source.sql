create function f() returns bigint language sql security definer as 'select count(*) from auth.users';
