create table notes (id bigint primary key, a int, b int); create schema aside; create statistics aside.pairs (ndistinct) on a, b from notes;
