alter table t alter a type jsonb using a::jsonb; create index t_a on t using gin (a);
