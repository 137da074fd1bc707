create domain known as int not null;
create table notes (id bigint primary key, scores known[]);
