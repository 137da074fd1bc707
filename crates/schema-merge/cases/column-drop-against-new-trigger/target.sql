create trigger g before update of score on notes for each row execute function system.update_updated_at();
