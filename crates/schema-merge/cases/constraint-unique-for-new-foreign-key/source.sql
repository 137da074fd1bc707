alter table p add constraint p_code unique (code); alter table a_first add constraint f foreign key (code) references p (code);
