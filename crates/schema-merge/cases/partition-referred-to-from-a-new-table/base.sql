create table wholes (id int not null, extra text, primary key (id)) partition by hash (id);
