alter table notes add constraint title_given not null title not valid;
alter table notes validate constraint kind_given;
