-- Keys that sign access tokens and project authorization codes, sealed with the master key. Old ones stay published until their tokens expired.

create table signing_keys (
    id text primary key,
    sealed_private_key bytea not null,
    created_at timestamptz not null default now(),
    retired_at timestamptz
);
