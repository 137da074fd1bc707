create policy a on notes for select using (score > 1);
