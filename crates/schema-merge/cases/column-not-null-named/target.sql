alter table notes add column score int;
comment on constraint kind_given on notes is 'Always said';
