create index t_a on t (b);
