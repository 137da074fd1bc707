alter table t add column u uuid not null default gen_random_uuid();
