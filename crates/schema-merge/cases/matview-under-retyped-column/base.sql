create table notes (id bigint generated always as identity primary key, title text not null, body text, score integer default 0);
create materialized view m as select id, score from notes;
