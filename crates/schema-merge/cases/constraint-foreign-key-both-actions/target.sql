alter table c drop constraint f; alter table c add constraint f foreign key (p_id) references p on delete set null;
