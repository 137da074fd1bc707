-- Durable operations, their steps, and the events that a client can follow.

create table operations (
    id uuid primary key,
    kind text not null,
    organization_id uuid,
    project_id uuid,
    -- queued, running, unwinding, stuck, succeeded, failed
    state text not null default 'queued' constraint operations_state_check
        check (state in ('queued', 'running', 'unwinding', 'stuck', 'succeeded', 'failed')),
    input jsonb not null,
    -- The saga's own state, written with every step.
    saga_state jsonb,
    result jsonb,
    error_code text,
    error text,
    -- For operators; never shown to clients.
    error_detail text,
    started_by uuid,
    request_id text,
    -- Lease: who works on it, until when, and the fencing token of that lease.
    worker_id uuid,
    lease_expires_at timestamptz,
    fence bigint not null default 0,
    next_try_at timestamptz not null default now(),
    deadline_at timestamptz,
    deadline_flagged_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz
);
create index operations_due_idx on operations (next_try_at) where state in ('queued', 'running', 'unwinding', 'stuck');
create index operations_project_id_idx on operations (project_id, created_at desc);
-- One operation at a time per project.
create unique index operations_one_per_project_key on operations (project_id)
    where project_id is not null and state in ('queued', 'running', 'unwinding', 'stuck');

create table operation_steps (
    operation_id uuid not null references operations (id) on delete cascade,
    position int not null,
    name text not null,
    -- pending, running, done, failed, undoing, undone
    state text not null,
    attempts int not null default 0,
    undo_attempts int not null default 0,
    last_error text,
    started_at timestamptz,
    finished_at timestamptz,
    primary key (operation_id, position)
);

create table operation_events (
    id bigint generated always as identity primary key,
    operation_id uuid not null references operations (id) on delete cascade,
    kind text not null,
    body jsonb not null,
    created_at timestamptz not null default now()
);
create index operation_events_operation_id_idx on operation_events (operation_id, id);

create table idempotency_keys (
    -- Who sent it: the user, so that one user's keys mean nothing for another.
    principal uuid not null,
    key text not null,
    -- Method and path, and a hash of the body, so that a key cannot be replayed with another request.
    request_fingerprint bytea not null,
    -- Sealed: an answer may hold a key that is shown once.
    status int,
    body bytea,
    operation_id uuid,
    created_at timestamptz not null default now(),
    primary key (principal, key)
);

create table audit_log (
    id uuid primary key,
    actor uuid,
    action text not null,
    organization_id uuid,
    project_id uuid,
    request_id text,
    detail jsonb not null default '{}',
    opened_at timestamptz not null default now(),
    -- Absent while the action runs.
    outcome text,
    closed_at timestamptz
);
create index audit_log_organization_id_idx on audit_log (organization_id, opened_at desc);
