alter table notes enable row level security; alter table notes force row level security;
