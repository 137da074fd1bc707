create type level as enum ('a', 'b', 'c'); create table t (l level);
