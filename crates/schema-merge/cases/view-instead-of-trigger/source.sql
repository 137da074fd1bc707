create or replace view v as select id, title, body from notes; create trigger h instead of delete on v for each row execute function ins();
