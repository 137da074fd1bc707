create type status as enum ('draft', 'done'); create table t (id int primary key, s status not null default 'draft');
