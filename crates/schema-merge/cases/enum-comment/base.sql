create type level as enum ('low'); comment on type level is 'a';
