create table notes (id bigint generated always as identity primary key, title text not null, body text, score integer default 0);
create view scores as select id, score from notes; grant select on scores to anon; comment on view scores is 'all scores';
create view top_scores with (security_invoker=true) as select * from scores where score > 10;
