create table memos (id bigint primary key);
