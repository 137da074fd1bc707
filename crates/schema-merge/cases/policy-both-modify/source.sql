alter policy a on notes using (score > 1);
