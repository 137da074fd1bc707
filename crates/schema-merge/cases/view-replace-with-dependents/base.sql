create table notes (id bigint generated always as identity primary key, title text not null, body text, score integer default 0);
create view v as select id, title from notes; create view w with (security_barrier=true) as select id from v; grant select on w to anon; comment on view w is 'w'; comment on column v.title is 'the title'; alter view v alter column title set default 'x';
