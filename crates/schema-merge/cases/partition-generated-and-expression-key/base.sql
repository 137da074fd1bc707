create table parts (a text collate "C" not null, b int, twice int generated always as (b * 2) stored) partition by list (lower(a)); create table parts_x partition of parts for values in ('x', 'y');
