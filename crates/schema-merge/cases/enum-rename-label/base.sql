create type level as enum ('low', 'mid', 'high'); create table t (id int, l level default 'mid'); insert into t values (1, 'mid');
