create domain d as int;
create table t (x d);
insert into t values (1);
alter domain d add constraint a check (value > 0) not valid;
alter domain d add constraint b check (value < 100);
alter domain d add constraint c check (value <> 50);
