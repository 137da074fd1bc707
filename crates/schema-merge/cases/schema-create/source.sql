create schema app; comment on schema app is 'ours'; grant usage, create on schema app to authenticated;
