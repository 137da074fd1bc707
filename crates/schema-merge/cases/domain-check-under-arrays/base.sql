create domain positive as int constraint ok check (value > 0);
create domain small as positive check (value < 100);
create type pair as (a positive, b text);
create table notes (id bigint primary key, scores positive[], one small, both_of pair);
