reset role; alter table wholes detach partition parts; drop table others;
