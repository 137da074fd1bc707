-- The newest heartbeat of each data plane.

create table heartbeats (
    project_id uuid primary key references projects (id) on delete cascade,
    version text not null,
    migration int not null,
    started_at timestamptz not null,
    last_request_at timestamptz,
    received_at timestamptz not null
);
