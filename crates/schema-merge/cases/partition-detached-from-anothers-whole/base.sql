create table wholes (id int not null, extra text) partition by list (id);
create table parts partition of wholes for values in (2);
create table others partition of wholes for values in (3);
reset role; alter table wholes owner to tester;
