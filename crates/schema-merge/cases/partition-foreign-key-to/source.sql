alter table c add constraint c_p foreign key (p_id) references p on delete cascade; alter table p add column q_id int; alter table p add constraint p_q foreign key (q_id) references q;
