create policy p on m using (exists (select 1 from notes n where n.id = m.id));
