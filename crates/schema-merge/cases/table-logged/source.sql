alter table cache set logged; create unlogged table scratch (id bigint generated always as identity primary key);
