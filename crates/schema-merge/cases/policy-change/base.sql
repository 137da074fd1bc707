create table notes (id bigint generated always as identity primary key, title text not null, body text, score integer default 0);
alter table notes enable row level security; create policy a on notes for select to anon using (true); create policy b on notes using (score > 1); create policy c on notes for insert with check (true);
