drop trigger g on notes; alter table notes alter score type bigint; create trigger g before update of score on notes for each row when (new.score > 1) execute function system.update_updated_at();
