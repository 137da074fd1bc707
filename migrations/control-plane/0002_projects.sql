-- Projects and branches, which are projects with a parent; their sealed secrets; what branches remember of their origin.

create table projects (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    -- Set for a branch.
    parent_id uuid references projects (id),
    name text not null,
    app_key text not null constraint projects_app_key_key unique,
    region text not null,
    instance_type text not null,
    -- Without a leading v.
    service_version text not null,
    customized_domain text,
    sleep_after_seconds bigint,
    -- What its owner wants: active, paused or deleted.
    intent text not null default 'active' constraint projects_intent_check check (intent in ('active', 'paused', 'deleted')),
    -- What was last proven: absent (nothing yet, or nothing any more), serving, stopped.
    observed text not null default 'absent' constraint projects_observed_check check (observed in ('absent', 'serving', 'stopped')),
    -- The data plane's own address, host:port, once it is known.
    address text,
    last_operation_error text,
    created_by uuid references users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    paused_at timestamptz,
    deleted_at timestamptz
);
create index projects_organization_id_idx on projects (organization_id, created_at) where deleted_at is null;
create index projects_parent_id_idx on projects (parent_id) where parent_id is not null;
-- A branch name is unique among its parent's live branches.
create unique index projects_branch_name_key on projects (parent_id, name) where parent_id is not null and deleted_at is null;

-- One wrapped key and the secrets sealed with it, per project. Deleted with the project's data.
create table project_secrets (
    project_id uuid primary key references projects (id) on delete cascade,
    wrapped_key bytea not null,
    jwt_secret bytea not null,
    encryption_key bytea not null,
    api_key bytea not null,
    anon_key bytea not null,
    admin_password bytea not null,
    platform_token bytea not null,
    updated_at timestamptz not null default now()
);

create table branches (
    project_id uuid primary key references projects (id) on delete cascade,
    mode text not null constraint branches_mode_check check (mode in ('full', 'schema-only')),
    -- Whether it was merged since its creation or last reset.
    merged boolean not null default false,
    -- The parent as it was at creation, for the three-way merge; replaced by the parent's new state after each merge.
    base jsonb,
    base_hash text,
    -- The parent as it was at creation, kept so that a reset branch merges from there again.
    origin jsonb,
    origin_hash text,
    created_at timestamptz not null default now()
);
