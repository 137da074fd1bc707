-- as: owner
-- Schema system: secrets, audit, migrations, and functions that other schemas use.

create schema system;

-- Internal migrations that ran.
create table system.migrations (
    id serial not null,
    name varchar(255) not null,
    run_on timestamp not null,
    constraint migrations_pkey primary key (id),
    constraint migrations_name_key unique (name)
);

-- Trigger: stamps the row with the time of its change.
create function system.update_updated_at() returns trigger
language plpgsql
as $$
begin
    new.updated_at := now();
    return new;
end
$$;

-- Encrypted key/value: API/anon keys, JWT keys, OAuth secrets, user secrets.
create table system.secrets (
    id uuid not null default gen_random_uuid(),
    key text not null,
    value_ciphertext text not null,
    is_active boolean default true,
    last_used_at timestamptz,
    expires_at timestamptz,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    is_reserved boolean default false,
    constraint secrets_pkey primary key (id),
    constraint secrets_key_key unique (key)
);
create trigger update_updated_at before update on system.secrets
    for each row execute function system.update_updated_at();

-- Developer migrations.
create table system.custom_migrations (
    version text not null,
    name text not null,
    statements text[] not null,
    created_at timestamptz not null default now(),
    constraint custom_migrations_pkey primary key (version),
    constraint custom_migrations_version_check check (version ~ '^[0-9]{1,64}$')
);

-- Audit trail.
create table system.audit_logs (
    id uuid not null default gen_random_uuid(),
    actor text not null,
    action text not null,
    module text not null,
    details jsonb,
    ip_address inet,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint audit_logs_pkey primary key (id)
);
create index audit_logs_created_at_idx on system.audit_logs (created_at desc);
create trigger update_updated_at before update on system.audit_logs
    for each row execute function system.update_updated_at();

-- MCP tool calls.
create table system.mcp_usage (
    id uuid not null default gen_random_uuid(),
    tool_name varchar(255) not null,
    success boolean default true,
    created_at timestamptz default now(),
    constraint mcp_usage_pkey primary key (id)
);
create index mcp_usage_created_at_idx on system.mcp_usage (created_at desc);

-- Advisor runs.
create table system.advisor_scans (
    id uuid not null default gen_random_uuid(),
    status text not null,
    scan_type text not null default 'manual',
    scanned_at timestamptz not null default now(),
    error_message text,
    constraint advisor_scans_pkey primary key (id),
    constraint advisor_scans_status_check check (status in ('running', 'completed', 'failed')),
    constraint advisor_scans_scan_type_check check (scan_type in ('manual', 'scheduled'))
);

-- Advisor results.
create table system.advisor_findings (
    id uuid not null default gen_random_uuid(),
    scan_id uuid not null,
    rule_id text not null,
    severity text not null,
    category text not null,
    title text not null,
    description text not null,
    affected_object text,
    recommendation text,
    created_at timestamptz not null default now(),
    constraint advisor_findings_pkey primary key (id),
    constraint advisor_findings_scan_id_fkey foreign key (scan_id) references system.advisor_scans (id) on delete cascade,
    constraint advisor_findings_severity_check check (severity in ('critical', 'warning', 'info'))
);
create index advisor_findings_scan_id_idx on system.advisor_findings (scan_id);

-- Ignored findings.
create table system.advisor_suppressions (
    id uuid not null default gen_random_uuid(),
    rule_id text not null,
    affected_object text,
    scope text not null default 'instance',
    reason text not null,
    note text,
    created_by text,
    created_at timestamptz not null default now(),
    constraint advisor_suppressions_pkey primary key (id),
    constraint advisor_suppressions_scope_check check ((scope = 'rule') = (affected_object is null) and scope in ('instance', 'rule')),
    constraint advisor_suppressions_reason_check check (reason in ('false_positive', 'accepted_risk', 'wont_fix', 'other'))
);
create unique index advisor_suppressions_target_key on system.advisor_suppressions (rule_id, coalesce(affected_object, ''));

-- Backup catalogue.
create table system.database_backups (
    id uuid not null default gen_random_uuid(),
    name text,
    trigger_source text not null default 'manual',
    status text not null default 'running',
    storage_key text,
    size_bytes bigint,
    error_message text,
    created_by text,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint database_backups_pkey primary key (id),
    constraint database_backups_status_check check (status in ('running', 'completed', 'failed')),
    constraint database_backups_trigger_source_check check (trigger_source in ('manual', 'scheduled'))
);
create unique index database_backups_name_key on system.database_backups (name) where name is not null;
create trigger update_updated_at before update on system.database_backups
    for each row execute function system.update_updated_at();

-- Backup schedule singleton.
create table system.database_config (
    id uuid not null default gen_random_uuid(),
    backup_enabled boolean not null default false,
    backup_cron_schedule text not null default '0 0 * * *',
    backup_retention_days integer default 7,
    backup_schedule_anchor timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint database_config_pkey primary key (id)
);
create unique index database_config_singleton on system.database_config ((1));
create trigger update_updated_at before update on system.database_config
    for each row execute function system.update_updated_at();

-- Merge plans that were committed here, so that repeating one does nothing.
create table system.branch_merges (
    operation_id uuid not null,
    catalog_hash text not null,
    applied_at timestamptz not null default now(),
    constraint branch_merges_pkey primary key (operation_id)
);

-- Tables that project_admin owns so that it can put policies and triggers on them, with the shape it must leave them in.
-- A migration that changes such a table renews its fingerprint.
create table system.protected_tables (
    name text not null,
    fingerprint text not null,
    constraint protected_tables_pkey primary key (name)
);

insert into system.database_config default values;

-- Tells the data API to read the catalog again.
create function system.reload_postgrest_schema() returns void
language sql
set search_path = ''
as $$ select pg_catalog.pg_notify('pgrst', 'reload schema') $$;

-- Whether the data API serves tables of a schema.
create function system.is_exposed_schema(schema_name text) returns boolean
language sql
stable
set search_path = ''
as $$
    select schema_name is not null
        and schema_name !~ '^pg_'
        and schema_name <> 'information_schema'
        and not (schema_name = any (pg_catalog.string_to_array(pg_catalog.replace(coalesce(
            nullif(pg_catalog.current_setting('insforge.internal_schemas', true), ''),
            'ai,auth,compute,deployments,email,functions,memory,payments,realtime,schedules,storage,system'), ' ', ''), ',')))
        and not exists (
            select
            from pg_catalog.pg_namespace n
            join pg_catalog.pg_depend d
                on d.classid = 'pg_catalog.pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e'
            where n.nspname = schema_name
        )
$$;

-- Exposed schemas follow from the catalog, so there is no setting to change: the data API is told to look again.
create function system.sync_postgrest_exposed_schemas() returns void
language sql
security definer
set search_path = ''
as $$
    select pg_catalog.pg_notify('pgrst', 'reload config'), pg_catalog.pg_notify('pgrst', 'reload schema');
    select null::void
$$;

-- Gives what unrestricted SQL created in schema public to project_admin, as if it had created it.
create function system.reassign_public_objects_to_project_admin() returns void
language plpgsql
set search_path = ''
as $$
declare
    statement text;
begin
    for statement in
        select format('alter %s %s owner to project_admin',
            case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
                when 'S' then 'sequence' else 'table' end, c.oid::regclass)
        from pg_catalog.pg_class c
        where c.relnamespace = 'public'::regnamespace
            and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
            and c.relowner <> 'project_admin'::regrole
            and not exists (select from pg_catalog.pg_depend d
                where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid
                    and (d.deptype = 'e' or (c.relkind = 'S' and d.deptype in ('a', 'i'))))
        union all
        select format('alter routine %s owner to project_admin', p.oid::regprocedure)
        from pg_catalog.pg_proc p
        where p.pronamespace = 'public'::regnamespace
            and p.proowner <> 'project_admin'::regrole
            and not exists (select from pg_catalog.pg_depend d
                where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
        union all
        select format('alter type %s owner to project_admin', t.oid::regtype)
        from pg_catalog.pg_type t
        left join pg_catalog.pg_class c on c.oid = t.typrelid
        where t.typnamespace = 'public'::regnamespace
            and t.typowner <> 'project_admin'::regrole
            and t.typelem = 0
            and t.typtype in ('c', 'd', 'e', 'r')
            and (c.oid is null or c.relkind = 'c')
            and not exists (select from pg_catalog.pg_depend d
                where d.classid = 'pg_catalog.pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')
    loop
        execute statement;
    end loop;
end
$$;
revoke execute on function system.reassign_public_objects_to_project_admin() from public;
