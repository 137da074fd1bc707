alter table parts_2 add check (b <> '');
