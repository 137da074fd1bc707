alter table r add constraint x exclude using gist (during with =);
