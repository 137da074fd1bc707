create domain amount as integer default 0 constraint positive check (value >= 0);
create domain big_amount as amount constraint big check (value > 10);
create table sales (id int, a amount not null, list amount[], b big_amount);
create index sales_a on sales (a);
create view totals as select id, a from sales;
insert into sales values (1, 5, '{1,2}', 11);
grant select on totals to anon;
comment on constraint positive on domain amount is 'kept';
