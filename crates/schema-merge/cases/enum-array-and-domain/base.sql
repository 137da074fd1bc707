create type level as enum ('a', 'b'); create domain some_level as level check (value <> 'a'); create table t (ls level[] default '{a}', d some_level);
