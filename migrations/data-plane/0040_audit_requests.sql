-- as: owner
-- Every change an administrator asks for is noted before it is looked at and closed with its outcome; what clients know as the audit trail,
-- system.audit_logs, is written by the change itself. What is found open when a process starts was interrupted.

create table system.audit_requests (
    id uuid not null default gen_random_uuid(),
    actor text not null,
    -- Method and path.
    request text not null,
    ip_address inet,
    opened_at timestamptz not null default now(),
    closed_at timestamptz,
    -- HTTP status; 'abandoned' when the client left, 'interrupted' when the process ended.
    outcome text,
    constraint audit_requests_pkey primary key (id)
);
create index audit_requests_opened_at_idx on system.audit_requests (opened_at);
create index audit_requests_open_idx on system.audit_requests (opened_at) where closed_at is null;
