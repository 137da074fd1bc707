alter table notes add constraint notes_pk primary key using index notes_pk;
