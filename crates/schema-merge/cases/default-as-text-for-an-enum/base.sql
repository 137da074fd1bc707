create type mood as enum ('low', 'high');
create table notes (id bigint primary key, mood text);
