alter table notes alter title set not null;
alter table notes add constraint kind_there not null kind;
