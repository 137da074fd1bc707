create index t_a on t using gin (to_tsvector('ours'::regconfig, a));
