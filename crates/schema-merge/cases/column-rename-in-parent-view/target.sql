create view v as select body from notes; create policy p on notes using (body <> ''); create index notes_b on notes (lower(body));
