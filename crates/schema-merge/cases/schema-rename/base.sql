create schema app; create table app.t (id int primary key, n text); create function app.f() returns int language sql as 'select 1'; create view app.v as select id from app.t;
