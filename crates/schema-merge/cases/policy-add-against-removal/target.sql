drop policy a on notes;
