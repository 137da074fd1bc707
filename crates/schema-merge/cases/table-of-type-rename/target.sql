comment on table people is 'All of them';
