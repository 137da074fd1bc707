alter table notes add column n2 int; drop view top_scores; drop view scores; alter table notes alter column score type bigint; create view scores as select id, score from notes; grant select on scores to anon; comment on view scores is 'all scores';
create view top_scores with (security_invoker=true) as select * from scores where score > 10;
