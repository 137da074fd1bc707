alter table parts detach partition parts_1; drop table parts; comment on column parts_1.b is 'kept';
