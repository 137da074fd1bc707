-- as: owner
-- Edge functions, and jobs that call them by the clock. Jobs are fired by the backend process, not by the database.

create schema functions;
create schema schedules;

-- Edge function source.
create table functions.definitions (
    id uuid not null default gen_random_uuid(),
    slug varchar(255) not null,
    name varchar(255) not null,
    description text,
    code text not null,
    status varchar(50) default 'draft',
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    deployed_at timestamptz,
    constraint definitions_pkey primary key (id),
    constraint definitions_slug_key unique (slug)
);
create trigger update_updated_at before update on functions.definitions
    for each row execute function system.update_updated_at();

-- Deno deploy history.
create table functions.deployments (
    id text not null,
    project_id text not null,
    status text not null default 'pending',
    url text,
    function_count integer,
    functions jsonb,
    error_message text,
    build_logs jsonb,
    created_at timestamptz default now(),
    constraint deployments_pkey primary key (id)
);

-- Job-log retention singleton.
create table schedules.config (
    id uuid not null default gen_random_uuid(),
    retention_days integer default 7,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint config_pkey primary key (id),
    constraint config_retention_days_check check (retention_days > 0)
);
create unique index config_singleton on schedules.config ((1));
create trigger update_updated_at before update on schedules.config
    for each row execute function system.update_updated_at();

-- Cron → HTTP jobs.
create table schedules.jobs (
    id uuid not null default gen_random_uuid(),
    name text not null,
    cron_schedule text not null,
    function_url text not null,
    http_method text not null default 'POST',
    encrypted_headers text,
    headers jsonb,
    body jsonb,
    is_active boolean not null default true,
    cron_job_id bigint,
    last_executed_at timestamptz,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint jobs_pkey primary key (id)
);
create trigger update_updated_at before update on schedules.jobs
    for each row execute function system.update_updated_at();

-- Job runs.
create table schedules.job_logs (
    id uuid not null default gen_random_uuid(),
    job_id uuid,
    executed_at timestamptz default now(),
    status_code integer,
    success boolean,
    duration_ms bigint,
    message text,
    constraint job_logs_pkey primary key (id),
    constraint job_logs_job_id_fkey foreign key (job_id) references schedules.jobs (id) on delete cascade
);
create index job_logs_job_id_executed_at_idx on schedules.job_logs (job_id, executed_at desc);

insert into schedules.config default values;

-- Writes down one run of a job.
create function schedules.log_job_execution(
    job uuid, job_name text, was_successful boolean, status integer, duration bigint, note text
) returns void
language plpgsql
set search_path = ''
as $$
begin
    insert into schedules.job_logs (job_id, status_code, success, duration_ms, message)
    values (job, status, was_successful, duration, note);
    update schedules.jobs set last_executed_at = now() where id = job;
end
$$;
revoke execute on function schedules.log_job_execution(uuid, text, boolean, integer, bigint, text) from public;

-- Removes runs older than the configured retention, a batch at a time; the number removed.
create function schedules.cleanup_job_logs(batch integer default 1000) returns bigint
language plpgsql
set search_path = ''
as $$
declare
    keep integer := (select retention_days from schedules.config);
    removed bigint := 0;
    round bigint;
begin
    if keep is null then
        return 0;
    end if;
    loop
        delete from schedules.job_logs where id in (
            select id from schedules.job_logs where executed_at < now() - make_interval(days => keep) limit batch
        );
        get diagnostics round = row_count;
        removed := removed + round;
        exit when round < batch;
    end loop;
    return removed;
end
$$;
revoke execute on function schedules.cleanup_job_logs(integer) from public;
