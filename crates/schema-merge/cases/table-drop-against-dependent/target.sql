create table likes (id int primary key, note_id bigint references notes);
