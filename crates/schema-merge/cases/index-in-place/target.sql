create index other on t (b desc);
