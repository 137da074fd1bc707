alter table notes drop column body; alter table notes add column z int; create policy p on notes using (true);
