create table wholes (a int not null, extra text, primary key (a)) partition by list (a);
alter table wholes add column twice numeric generated always as (a * 2) stored;
create table parts partition of wholes for values in (3);
