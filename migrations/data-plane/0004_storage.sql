-- as: owner
-- Schema storage: buckets, and the rows that say which objects exist. The bytes are outside the database.

create schema storage;

-- Buckets.
create table storage.buckets (
    name text not null,
    public boolean default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    cors_rules jsonb,
    versioning_status text not null default 'Disabled',
    constraint buckets_pkey primary key (name),
    constraint buckets_versioning_status_check check (versioning_status in ('Enabled', 'Disabled', 'Suspended'))
);

-- Max upload singleton.
create table storage.config (
    id uuid not null default gen_random_uuid(),
    max_file_size_mb integer not null default 50,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint config_pkey primary key (id),
    constraint config_max_file_size_mb_check check (max_file_size_mb between 1 and 200)
);
create unique index config_singleton on storage.config ((1));
create trigger update_updated_at before update on storage.config
    for each row execute function system.update_updated_at();

-- Object metadata.
create table storage.objects (
    bucket text not null,
    key text not null,
    size integer not null,
    mime_type text,
    uploaded_at timestamptz default now(),
    uploaded_by text,
    uploaded_via text not null default 'rest',
    s3_access_key_id text,
    etag text,
    constraint objects_pkey primary key (bucket, key),
    constraint objects_bucket_fkey foreign key (bucket) references storage.buckets (name) on delete cascade,
    constraint objects_uploaded_via_check check (uploaded_via in ('rest', 's3', 'dashboard'))
);

-- S3 tags.
create table storage.object_tags (
    bucket text not null,
    key text not null,
    tag_key text not null,
    tag_value text not null,
    constraint object_tags_pkey primary key (bucket, key, tag_key),
    constraint object_tags_object_fkey foreign key (bucket, key) references storage.objects (bucket, key) on delete cascade
);

-- S3 credentials.
create table storage.s3_access_keys (
    id uuid not null default gen_random_uuid(),
    access_key_id text not null,
    secret_access_key_encrypted text not null,
    description text,
    created_at timestamptz not null default now(),
    last_used_at timestamptz,
    constraint s3_access_keys_pkey primary key (id),
    constraint s3_access_keys_access_key_id_key unique (access_key_id)
);

insert into storage.config default values;

-- Folders of a key, outermost first.
create function storage.foldername(name text) returns text[]
language sql
immutable
as $$
    select parts[1:pg_catalog.cardinality(parts) - 1] from pg_catalog.string_to_array(name, '/') as parts
$$;

-- Last part of a key.
create function storage.filename(name text) returns text
language sql
immutable
as $$
    select parts[pg_catalog.cardinality(parts)] from pg_catalog.string_to_array(name, '/') as parts
$$;

-- What follows the last dot of a key's last part.
create function storage.extension(name text) returns text
language sql
immutable
as $$
    select case when pg_catalog.strpos(file, '.') = 0 then '' else pg_catalog.reverse(pg_catalog.split_part(pg_catalog.reverse(file), '.', 1)) end
    from storage.filename(name) as file
$$;
