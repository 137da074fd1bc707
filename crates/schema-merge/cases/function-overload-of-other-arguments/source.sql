create policy scored on notes using (score(1)::text <> body);
