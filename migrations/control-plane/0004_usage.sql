-- Usage records as they arrive, numbered without gaps per source, and daily roll-ups as a pure function of them.

create table usage_sources (
    source text primary key,
    sequence bigint not null default 0
);

create table usage_records (
    source text not null references usage_sources (source),
    sequence bigint not null,
    project_id uuid not null,
    metric text not null,
    from_at timestamptz not null,
    to_at timestamptz not null,
    amount bigint not null constraint usage_records_amount_check check (amount >= 0),
    received_at timestamptz not null default now(),
    primary key (source, sequence)
);
create index usage_records_project_id_idx on usage_records (project_id, metric, from_at);

create table usage_days (
    project_id uuid not null,
    day date not null,
    metric text not null,
    amount bigint not null,
    updated_at timestamptz not null default now(),
    primary key (project_id, day, metric)
);
