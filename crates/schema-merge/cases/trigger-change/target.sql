create trigger t4 after delete on notes for each statement execute function system.update_updated_at();
