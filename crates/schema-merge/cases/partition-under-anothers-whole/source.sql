create table parts partition of wholes for values in (2); reset role; alter table wholes owner to tester;
