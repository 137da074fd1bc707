create type mood as enum ('low', 'mid', 'high');
create table notes (id bigint primary key, moods mood[]);
alter table notes alter moods set storage external;
