create or replace trigger a before update on notes for each row when (new.score > 2) execute function log();
