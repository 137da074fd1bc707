create table notes (id bigint generated always as identity primary key, title text not null, body text, score integer default 0);
alter table notes add constraint score_ok check (score >= 0);
