alter table notes disable row level security;
