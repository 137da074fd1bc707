create type status as enum ('a', 'b');
