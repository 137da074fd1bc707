alter table notes add constraint title_given not null title, add constraint kind_given not null kind;
