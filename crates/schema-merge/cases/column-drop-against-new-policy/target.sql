create policy p on notes using (score > 0);
