grant select on notes to anon; comment on table notes is 'x';
