drop table letters;
alter table notes add column id int generated always as identity;
create table letters (postage int) inherits (notes);
