alter policy p on notes using (score > 1);
