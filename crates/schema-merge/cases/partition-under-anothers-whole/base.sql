create table wholes (id int not null, extra text) partition by list (id);
