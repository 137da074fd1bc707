create table countries (code text primary key);
create table cities (id int primary key, country text references countries);
create table streets (id int primary key, city int references cities);
