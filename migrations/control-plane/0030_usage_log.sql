-- The usage log by month, with the day for which each record counts; compute by instance type; records that come too late, kept apart.
--
-- A control plane of before cannot write here: its sources keep their records until one that can takes them.

alter table usage_records rename to usage_records_unsorted;
alter table usage_records_unsorted rename constraint usage_records_pkey to usage_records_unsorted_pkey;
drop index usage_records_project_id_idx;

create table usage_records (
    source text not null,
    sequence bigint not null,
    -- The UTC day for which it counts, decided when it came.
    day date not null,
    project_id uuid not null,
    metric text not null,
    -- Of compute: which instance ran. Empty for all else.
    instance_type text not null,
    from_at timestamptz not null,
    to_at timestamptz not null,
    amount bigint not null constraint usage_records_amount_check check (amount >= 0),
    received_at timestamptz not null,
    primary key (source, sequence, day)
) partition by range (day);
-- What a project's days are made of.
create index usage_records_project_id_idx on usage_records (project_id, day);

-- Makes the month of `day` ready to be written. Called before every append; costs a look-up once it is there.
create function usage_records_prepare(day date) returns void language plpgsql as $$
declare
    first date := date_trunc('month', day)::date;
    name text := 'usage_records_' || to_char(first, 'YYYY_MM');
begin
    if to_regclass(name) is null then
        perform pg_advisory_xact_lock(hashtextextended('usage_records_prepare', 0));
        execute format('create table if not exists %I partition of usage_records for values from (%L) to (%L)',
            name, first, (first + interval '1 month')::date);
    end if;
end
$$;

do $$
declare
    month date;
begin
    for month in select distinct date_trunc('month', from_at at time zone 'UTC')::date from usage_records_unsorted loop
        perform usage_records_prepare(month);
    end loop;
end
$$;
insert into usage_records (source, sequence, day, project_id, metric, instance_type, from_at, to_at, amount, received_at)
select source, sequence, (from_at at time zone 'UTC')::date, project_id, metric, '', from_at, to_at, amount, received_at
from usage_records_unsorted;
drop table usage_records_unsorted;

-- A day is a function of the log and nothing else, so it has no time of its own.
alter table usage_days
    drop column updated_at,
    add column instance_type text not null default '',
    drop constraint usage_days_pkey,
    add primary key (project_id, metric, day, instance_type);
-- A month of all projects, for rebuilding it. Days are written in their order, so this stays small and finds them.
create index usage_days_day_idx on usage_days using brin (day);

alter table usage_totals
    add column instance_type text not null default '',
    drop constraint usage_totals_pkey,
    add primary key (scope, metric, day, instance_type, shard);

-- Records that came more than the grace after the day they are of. They are in no day and no bill.
create table usage_late_records (
    source text not null,
    sequence bigint not null,
    project_id uuid not null,
    metric text not null,
    instance_type text not null,
    from_at timestamptz not null,
    to_at timestamptz not null,
    amount bigint not null,
    received_at timestamptz not null,
    primary key (source, sequence)
);
-- What they amount to, by the day on which they came.
create table usage_late_days (
    -- As in usage_totals.
    scope uuid not null,
    metric text not null,
    day date not null,
    amount bigint not null,
    primary key (scope, metric, day)
);
