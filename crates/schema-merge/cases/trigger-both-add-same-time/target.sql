create trigger b before update on notes for each row execute function system.update_updated_at();
