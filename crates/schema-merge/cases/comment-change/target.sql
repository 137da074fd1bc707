comment on table notes is 'a3';
