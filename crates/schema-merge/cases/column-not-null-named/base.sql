create table notes (id int primary key, title text, body text not null, kind text constraint kind_given not null, old text constraint old_given not null);
insert into notes values (1, 'a', 'b', 'c', 'd');
