drop trigger a on notes;
