create table parts_z partition of parts for values in ('z'); alter table parts add column thrice int generated always as (b * 3) stored; create unique index parts_z_a on parts_z (a);
