alter table parts add constraint parts_key primary key (a);
