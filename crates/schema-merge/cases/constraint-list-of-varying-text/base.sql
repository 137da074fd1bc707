create table t (id int primary key, status varchar(20) not null default 'new', constraint t_status check (status in ('new', 'old')));
