create type level as enum ('low');
