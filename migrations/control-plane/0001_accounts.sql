-- Users, their sessions and API keys, organizations and memberships.

create table users (
    id uuid primary key,
    email text not null,
    name text not null,
    avatar_url text,
    email_verified boolean not null default false,
    -- Operators of this cloud see every organization.
    operator boolean not null default false,
    password_hash text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index users_email_key on users (lower(email));

-- One row per refresh-token family. Only hashes are kept; the previous one stays valid for a short grace after rotation.
create table sessions (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    token_hash bytea not null constraint sessions_token_hash_key unique,
    previous_token_hash bytea,
    rotated_at timestamptz,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    created_at timestamptz not null default now(),
    last_used_at timestamptz
);
create index sessions_user_id_idx on sessions (user_id);
create index sessions_previous_token_hash_idx on sessions (previous_token_hash) where previous_token_hash is not null;

create table api_keys (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    name text not null,
    -- The first characters, to tell keys apart in a list.
    prefix text not null,
    token_hash bytea not null constraint api_keys_token_hash_key unique,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz not null default now()
);
create index api_keys_user_id_idx on api_keys (user_id);

create table organizations (
    id uuid primary key,
    name text not null,
    type text not null constraint organizations_type_check check (type in ('personal', 'team', 'company')),
    plan text not null default 'free' constraint organizations_plan_check check (plan in ('free', 'starter', 'pro', 'team', 'enterprise')),
    deleted_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table members (
    id uuid primary key,
    organization_id uuid not null references organizations (id) on delete cascade,
    user_id uuid not null references users (id) on delete cascade,
    role text not null constraint members_role_check check (role in ('owner', 'administrator', 'developer')),
    invited_by uuid references users (id) on delete set null,
    joined_at timestamptz not null default now(),
    constraint members_organization_id_user_id_key unique (organization_id, user_id)
);
create index members_user_id_idx on members (user_id);
