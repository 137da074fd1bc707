create table wholes (kind int not null, extra text, primary key (kind)) partition by hash (kind);
alter table wholes add constraint "a second" unique (kind) deferrable;
