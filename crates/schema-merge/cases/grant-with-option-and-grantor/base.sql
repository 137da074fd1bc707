create table t (id int, a int);
grant select on t to authenticated with grant option;
set role authenticated;
grant select on t to anon;
reset role;
set role project_admin;
