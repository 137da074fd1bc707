reset role; set role authenticated; grant select on public.notes to anon;
