create type level as enum ('low', 'high'); create table a (l level);
