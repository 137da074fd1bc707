alter default privileges for role project_admin grant execute on functions to public;
alter default privileges for role project_admin revoke usage on types from public;
alter default privileges for role project_admin in schema app revoke select on tables from anon;
alter default privileges for role project_admin in schema app grant usage, select on sequences to authenticated with grant option;
alter default privileges for role project_admin grant usage on schemas to anon;
create table app.t (id int);
create function app.f() returns int language sql as 'select 1';
create type app.e as enum ('a');
create sequence app.s;
