create or replace trigger a before update on notes for each row when (new.score > 1) execute function log();
