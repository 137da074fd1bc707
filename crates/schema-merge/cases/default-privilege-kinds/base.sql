create schema app;
alter default privileges for role project_admin revoke execute on functions from public;
alter default privileges for role project_admin in schema app grant select on tables to anon;
