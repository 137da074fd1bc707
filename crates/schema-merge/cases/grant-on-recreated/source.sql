drop view v; create view v as select id::text as id, title from notes; revoke all on v from project_admin; grant select (id) on v to anon; grant select on v to authenticated with grant option;
