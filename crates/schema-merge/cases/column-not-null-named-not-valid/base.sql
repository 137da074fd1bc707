create table notes (id int primary key, title text, kind text);
insert into notes values (1, null, 'a');
alter table notes add constraint kind_given not null kind not valid;
