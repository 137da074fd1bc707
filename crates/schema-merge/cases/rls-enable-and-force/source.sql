alter table notes force row level security; alter table m no force row level security;
