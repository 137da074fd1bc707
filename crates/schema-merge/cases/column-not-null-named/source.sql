alter table notes add constraint title_given not null title;
alter table notes rename constraint notes_body_not_null to body_given;
alter table notes rename constraint kind_given to kind_required;
alter table notes drop constraint old_given;
alter table notes add column slug text constraint slug_given not null default 'x';
create table tags (id int constraint id_given not null primary key, label text constraint label_given not null no inherit);
