alter table c add constraint f foreign key (p_id) references p;
