create table pages (id int primary key, body text);
