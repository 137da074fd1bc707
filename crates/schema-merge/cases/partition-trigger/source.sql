create trigger g after insert on parts for each row execute function log(); create trigger own before update on parts_1 for each row execute function log(); alter table parts_1 disable trigger g;
