-- Partners: who creates and runs projects under a brand of their own, their secrets, and the users they know.

create table partners (
    id uuid primary key,
    name text not null,
    kind text not null constraint partners_kind_check check (kind in ('co-branded', 'white-label')),
    -- Owns a white-label partner's projects and carries its plan. It has no members.
    organization_id uuid not null references organizations (id),
    -- Absent means no limit beyond the plan's.
    project_limit int constraint partners_project_limit_check check (project_limit > 0),
    -- Absent means all.
    regions text[],
    instance_types text[],
    disabled_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- Only hashes are kept. A rotated secret has an expiry, until which both work.
create table partner_secrets (
    id uuid primary key,
    partner_id uuid not null references partners (id) on delete cascade,
    token_hash bytea not null constraint partner_secrets_token_hash_key unique,
    expires_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz not null
);
create index partner_secrets_partner_id_idx on partner_secrets (partner_id);

create table partner_users (
    id uuid primary key,
    partner_id uuid not null references partners (id) on delete cascade,
    name text not null,
    email text not null,
    -- The account behind it; a white-label partner's users have none.
    user_id uuid references users (id) on delete cascade,
    created_at timestamptz not null
);
create unique index partner_users_email_key on partner_users (partner_id, lower(email));

alter table projects
    add column partner_id uuid references partners (id),
    add column partner_user_id uuid references partner_users (id) on delete set null;
-- A partner has one live project of each name for each of its users, and one for itself.
create unique index projects_partner_name_key on projects (partner_id, partner_user_id, name) nulls not distinct
    where partner_id is not null and parent_id is null and deleted_at is null and intent <> 'deleted';
create index projects_partner_id_idx on projects (partner_id, created_at, id) where partner_id is not null;

-- Who acted, where it was no user.
alter table audit_log add column partner_id uuid;

-- When a project last answered a request, from the gateway's records.
create table project_activity (
    project_id uuid primary key references projects (id) on delete cascade,
    last_request_at timestamptz not null
);
