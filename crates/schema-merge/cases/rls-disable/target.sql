create policy p on notes using (true);
