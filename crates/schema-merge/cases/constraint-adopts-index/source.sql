alter table notes add constraint notes_pk primary key using index notes_pk;
alter table notes add constraint notes_by_slug unique using index notes_slug;
