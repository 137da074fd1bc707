create table notes (id bigint not null, body text);
