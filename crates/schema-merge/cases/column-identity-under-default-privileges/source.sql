alter table notes alter id add generated always as identity;
revoke usage on sequence notes_id_seq from anon;
