create table notes (id int, n bigint);
create function f(a int) returns int language sql immutable as 'select a';
create function t() returns trigger language plpgsql as 'begin return new; end';
create view v as select f(id)::text as x from notes;
create view over_v as select x from v;
create policy p on notes using (f(id) > 0);
alter table notes alter n set default f(3);
create trigger g before insert on notes for each row when (f(new.id) > 1) execute function t();
alter table notes disable trigger g;
