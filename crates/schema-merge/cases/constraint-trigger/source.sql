create constraint trigger g after insert or update of a on t from p deferrable initially immediate for each row when (new.a > 0) execute function log(); comment on trigger g on t is 'g';
