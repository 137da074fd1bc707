create index other on t (a);
