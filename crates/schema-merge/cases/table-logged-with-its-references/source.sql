alter table zones set logged;
alter table cities set logged;
alter table addresses set logged;
