create policy b on notes for select using (score < 5);
