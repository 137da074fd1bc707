drop index notes_pk; create unique index notes_pk on notes (id desc);
