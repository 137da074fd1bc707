create table t (a text default 'yes'); insert into t values ('no');
