drop policy a on notes; create policy a on notes using (true);
