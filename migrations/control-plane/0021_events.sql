-- What happened to projects and branches, in an order that can be followed, and the deliveries of it to receivers that were named for that.

create table events (
    id uuid primary key,
    -- Order of writing. For one project it is the order of what happened, because whoever writes holds the lock of its row.
    number bigint generated always as identity,
    -- Order of publication, given once everything before it can be seen: who follows it misses nothing.
    position bigint constraint events_position_key unique,
    type text not null,
    organization_id uuid not null,
    partner_id uuid,
    project_id uuid,
    data jsonb not null,
    created_at timestamptz not null
);
create index events_unpublished_idx on events (number) where position is null;
create index events_organization_id_idx on events (organization_id, position);
create index events_partner_id_idx on events (partner_id, position) where partner_id is not null;
create index events_created_at_idx on events (created_at);

-- One row: the newest position. Its lock is the right to publish.
create table event_head (
    singleton boolean primary key default true constraint event_head_singleton_check check (singleton),
    position bigint not null default 0
);
insert into event_head default values;

create table webhook_endpoints (
    id uuid primary key,
    organization_id uuid references organizations (id) on delete cascade,
    partner_id uuid references partners (id) on delete cascade,
    url text not null,
    description text,
    -- Absent means all.
    types text[],
    disabled_at timestamptz,
    disabled_reason text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint webhook_endpoints_owner_check check (num_nonnulls(organization_id, partner_id) = 1)
);
create index webhook_endpoints_organization_id_idx on webhook_endpoints (organization_id) where organization_id is not null;
create index webhook_endpoints_partner_id_idx on webhook_endpoints (partner_id) where partner_id is not null;

-- Sealed with the master key. A rotated one has an expiry, until which deliveries are signed with both.
create table webhook_secrets (
    id uuid primary key,
    endpoint_id uuid not null references webhook_endpoints (id) on delete cascade,
    sealed bytea not null,
    expires_at timestamptz,
    created_at timestamptz not null
);
create index webhook_secrets_endpoint_id_idx on webhook_secrets (endpoint_id);

create table webhook_deliveries (
    id uuid primary key,
    endpoint_id uuid not null references webhook_endpoints (id) on delete cascade,
    event_id uuid not null references events (id) on delete cascade,
    -- Order is kept within a lane: a project, or what else the event is about.
    lane uuid not null,
    position bigint not null,
    state text not null constraint webhook_deliveries_state_check check (state in ('pending', 'delivered', 'failed')),
    -- Asked for again by hand: one attempt, outside the order.
    manual boolean not null default false,
    attempts int not null default 0,
    -- Absent while it waits for those before it in its lane, or while its endpoint is disabled. While one is in flight: when it is given up for lost.
    next_try_at timestamptz,
    in_flight boolean not null default false,
    created_at timestamptz not null,
    finished_at timestamptz,
    constraint webhook_deliveries_event_key unique (endpoint_id, event_id)
);
create index webhook_deliveries_due_idx on webhook_deliveries (endpoint_id, next_try_at) where state = 'pending' and next_try_at is not null;
create index webhook_deliveries_lane_idx on webhook_deliveries (endpoint_id, lane, position) where state = 'pending';
create index webhook_deliveries_in_flight_idx on webhook_deliveries (endpoint_id) where in_flight;
create index webhook_deliveries_position_idx on webhook_deliveries (endpoint_id, position desc);
create index webhook_deliveries_event_id_idx on webhook_deliveries (event_id);

-- What came of each attempt. Bodies are not kept.
create table webhook_attempts (
    delivery_id uuid not null references webhook_deliveries (id) on delete cascade,
    number int not null,
    status int,
    error text,
    duration_ms int not null,
    at timestamptz not null,
    primary key (delivery_id, number)
);
