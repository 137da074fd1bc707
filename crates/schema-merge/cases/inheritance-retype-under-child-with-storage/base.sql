create table parents (id bigint primary key, notes jsonb);
alter table parents alter notes set storage external;
