create table t (id int primary key, a int, b text);
create view v as select id from t;
create function n() returns trigger language plpgsql as 'begin return null; end';
create trigger state_o after insert on t for each row execute function n();
create trigger state_d after insert on t for each row execute function n();
create trigger state_r after insert on t for each row execute function n();
create trigger gone before truncate on t execute function n();
create trigger changed after insert on t for each row execute function n();
alter table t disable trigger state_d;
