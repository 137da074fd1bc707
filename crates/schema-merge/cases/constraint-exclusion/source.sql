alter table r add constraint no_overlap exclude using gist (during with &&);
