alter policy a on notes to authenticated;
