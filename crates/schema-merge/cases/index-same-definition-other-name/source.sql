create index one on t (a);
