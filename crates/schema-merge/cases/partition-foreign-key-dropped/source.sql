alter table notes drop constraint notes_a_fkey; drop table parts_2; alter table parts drop constraint parts_kind_fkey;
