-- as: owner
-- Site deployments and containers. Neither branches: a clone starts with these tables empty.

create schema deployments;
create schema compute;

-- Site deployments (not branched).
create table deployments.runs (
    id uuid not null default gen_random_uuid(),
    provider text not null default 'vercel',
    provider_deployment_id text,
    status text not null default 'WAITING',
    url text,
    metadata jsonb,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint runs_pkey primary key (id),
    constraint runs_provider_deployment_id_key unique (provider_deployment_id)
);
create trigger update_updated_at before update on deployments.runs
    for each row execute function system.update_updated_at();

-- Site upload manifest (not branched).
create table deployments.files (
    id uuid not null default gen_random_uuid(),
    deployment_id uuid not null,
    file_path text not null,
    sha text not null,
    size_bytes integer not null,
    uploaded_at timestamptz,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint files_pkey primary key (id),
    constraint files_deployment_id_file_path_key unique (deployment_id, file_path),
    constraint files_sha_check check (sha ~ '^[0-9a-f]{40}$'),
    constraint files_deployment_id_fkey foreign key (deployment_id) references deployments.runs (id) on delete cascade
);
create trigger update_updated_at before update on deployments.files
    for each row execute function system.update_updated_at();

-- Containers (not branched).
create table compute.services (
    id uuid not null default gen_random_uuid(),
    project_id text not null,
    name text not null,
    image_url text not null,
    port integer not null default 8080,
    cpu text not null default 'shared-1x',
    memory integer not null default 512,
    env_vars_encrypted text,
    region text not null default 'iad',
    provider_app_id text,
    provider_instance_id text,
    status text not null default 'creating',
    endpoint_url text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    protocol text not null default 'http',
    scale_to_zero boolean not null default true,
    provider text not null,
    ingress text not null default 'none',
    constraint services_pkey primary key (id),
    constraint services_project_id_name_key unique (project_id, name),
    constraint services_provider_check check (provider in ('fly', 'docker')),
    constraint services_ingress_check check (ingress in ('none', 'port', 'host')),
    constraint services_protocol_check check (protocol in ('http', 'tcp'))
);
create trigger update_updated_at before update on compute.services
    for each row execute function system.update_updated_at();
