create policy scored on notes using (score()::text <> body);
