set role authenticated;
revoke select on t from anon;
reset role;
set role project_admin;
revoke grant option for select on t from authenticated;
grant update (a) on t to authenticated with grant option;
set role authenticated;
grant update (a) on t to anon;
