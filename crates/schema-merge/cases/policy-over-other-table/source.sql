create policy a on notes using (exists (select 1 from m where m.note_id = notes.id)); create policy b on m using (exists (select 1 from notes where notes.id = m.note_id));
