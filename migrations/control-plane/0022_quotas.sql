-- Limits: how near usage is to what is allowed, and what is done about it; and when idle projects are looked at.

-- What an organization allows itself, or an operator allows it, in place of its plan.
create table quota_caps (
    organization_id uuid not null references organizations (id) on delete cascade,
    -- A metric, or spend.
    subject text not null,
    allowed bigint not null constraint quota_caps_allowed_check check (allowed > 0),
    primary key (organization_id, subject)
);

create index partners_organization_id_idx on partners (organization_id);

create table quota_states (
    -- A project, for sizes; an organization, for what adds up over a billing period.
    scope uuid not null,
    subject text not null,
    organization_id uuid not null references organizations (id) on delete cascade,
    project_id uuid references projects (id) on delete cascade,
    -- Of what adds up: the first day of the period that is counted, and when it is over.
    period_start date,
    period_end_at timestamptz,
    -- The highest share that was told of, in percent.
    told int not null default 0,
    action text not null default 'none' constraint quota_states_action_check check (action in ('none', 'throttle', 'read_only', 'sleep')),
    used bigint not null,
    allowed bigint not null,
    changed_at timestamptz not null,
    primary key (scope, subject)
);
create index quota_states_organization_id_idx on quota_states (organization_id);
create index quota_states_project_id_idx on quota_states (project_id) where project_id is not null;
create index quota_states_period_end_at_idx on quota_states (period_end_at) where period_end_at is not null;

-- What has new usage, or new limits, and was not looked at since.
create table quota_checks (
    scope uuid primary key,
    organization_id uuid not null references organizations (id) on delete cascade,
    project_id uuid references projects (id) on delete cascade,
    noted_at timestamptz not null
);
create index quota_checks_noted_at_idx on quota_checks (noted_at);

-- Projects whose restriction changed and whose gateway does not know yet.
create table route_pushes (
    project_id uuid primary key references projects (id) on delete cascade,
    next_try_at timestamptz not null
);
create index route_pushes_next_try_at_idx on route_pushes (next_try_at);

alter table projects
    -- Why it is paused, when its owner did not ask for that.
    add column pause_reason text constraint projects_pause_reason_check check (pause_reason in ('idle')),
    -- Since when it serves.
    add column serving_since timestamptz,
    -- When it is looked at whether anybody uses it.
    add column idle_check_at timestamptz;
update projects set serving_since = now(), idle_check_at = now() where observed = 'serving' and deleted_at is null;
create index projects_idle_check_at_idx on projects (idle_check_at) where idle_check_at is not null;
