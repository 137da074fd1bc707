create table notes (id bigint primary key, "it's" date, "of notes.id" int, score interval);
