alter table c drop constraint c_p; alter table p drop constraint p_once; alter table p add constraint p_pkey primary key (id); alter table c add constraint c_p foreign key (p_id) references p (id);
