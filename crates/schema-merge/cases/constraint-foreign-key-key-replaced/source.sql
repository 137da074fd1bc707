alter table c add constraint f foreign key (a) references p (a);
