create policy p on notes using (ok());
