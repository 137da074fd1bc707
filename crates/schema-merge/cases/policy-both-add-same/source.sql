create policy a on notes for select to anon using (score > 1);
