create view v as select id, title from notes; grant select on v to anon;
