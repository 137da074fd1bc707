create table notes (id bigint generated always as identity primary key, title text not null, body text, score integer default 0);
alter table notes add column updated_at timestamptz; create trigger t1 before update on notes for each row execute function system.update_updated_at(); create trigger t2 before insert on notes for each row execute function system.update_updated_at();
