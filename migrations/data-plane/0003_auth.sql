-- as: owner
-- Schema auth: end users, their identities and codes, the auth policy, and what policies ask about the caller.

create schema auth;
grant usage on schema auth to public;

-- Claims of the caller; null outside a request.
create function auth.jwt() returns jsonb
language sql
stable
as $$ select nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb $$;

-- Id of the caller; null when it has none.
create function auth.uid() returns uuid
language sql
stable
as $$ select nullif(nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid $$;

-- Role of the caller.
create function auth.role() returns text
language sql
stable
as $$ select nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' $$;

-- E-mail address of the caller.
create function auth.email() returns text
language sql
stable
as $$ select nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'email' $$;

-- End users.
create table auth.users (
    id uuid not null default gen_random_uuid(),
    email text not null,
    password text,
    email_verified boolean default false,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    profile jsonb default '{}',
    metadata jsonb default '{}',
    is_project_admin boolean not null default false,
    is_anonymous boolean not null default false,
    constraint users_pkey primary key (id),
    constraint users_email_key unique (email)
);
create index users_email_lower_idx on auth.users (lower(email));

-- Linked identities.
create table auth.user_providers (
    id uuid not null default gen_random_uuid(),
    user_id uuid not null,
    provider text not null,
    provider_account_id text not null,
    access_token text,
    refresh_token text,
    provider_data jsonb,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint user_providers_pkey primary key (id),
    constraint user_providers_provider_provider_account_id_key unique (provider, provider_account_id),
    constraint user_providers_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);
create index user_providers_user_id_idx on auth.user_providers (user_id);

-- Auth policy singleton.
create table auth.config (
    id uuid not null default gen_random_uuid(),
    require_email_verification boolean not null default false,
    password_min_length integer not null default 6,
    require_number boolean not null default false,
    require_lowercase boolean not null default false,
    require_uppercase boolean not null default false,
    require_special_char boolean not null default false,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    verify_email_method text not null default 'code',
    reset_password_method text not null default 'code',
    allowed_redirect_urls text[] default '{}',
    disable_signup boolean not null default false,
    constraint config_pkey primary key (id),
    constraint config_password_min_length_check check (password_min_length between 4 and 128),
    constraint config_verify_email_method_check check (verify_email_method in ('code', 'link')),
    constraint config_reset_password_method_check check (reset_password_method in ('code', 'link'))
);
create unique index config_singleton on auth.config ((1));
create trigger update_updated_at before update on auth.config
    for each row execute function system.update_updated_at();

-- Verification/reset/sign-in codes.
create table auth.email_otps (
    id uuid not null default gen_random_uuid(),
    email text not null,
    purpose text not null,
    otp_hash text not null,
    expires_at timestamptz not null,
    consumed_at timestamptz,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    redirect_to text,
    attempts_count integer not null default 0,
    otp_type text not null default 'NUMERIC_CODE',
    constraint email_otps_pkey primary key (id),
    constraint email_otps_email_purpose_key unique (email, purpose),
    constraint email_otps_purpose_check check (purpose in ('VERIFY_EMAIL', 'RESET_PASSWORD', 'SIGN_IN')),
    constraint email_otps_otp_type_check check (otp_type in ('NUMERIC_CODE', 'HASH_TOKEN'))
);
create trigger update_updated_at before update on auth.email_otps
    for each row execute function system.update_updated_at();

-- Built-in OAuth providers.
create table auth.oauth_configs (
    id uuid not null default gen_random_uuid(),
    provider text not null,
    client_id text,
    secret_id uuid,
    scopes text[],
    redirect_uri text,
    use_shared_key boolean default false,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    native_client_ids text[] not null default '{}',
    constraint oauth_configs_pkey primary key (id),
    constraint oauth_configs_provider_key unique (provider),
    constraint oauth_configs_secret_id_fkey foreign key (secret_id) references system.secrets (id) on delete restrict
);
create trigger update_updated_at before update on auth.oauth_configs
    for each row execute function system.update_updated_at();

-- Custom OIDC providers.
create table auth.custom_oauth_configs (
    id uuid not null default gen_random_uuid(),
    key text not null,
    name text not null,
    discovery_endpoint text not null,
    client_id text not null,
    secret_id uuid not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint custom_oauth_configs_pkey primary key (id),
    constraint custom_oauth_configs_key_key unique (key),
    constraint custom_oauth_configs_key_check check (key ~ '^[a-z0-9_-]+$'),
    constraint custom_oauth_configs_secret_id_fkey foreign key (secret_id) references system.secrets (id) on delete restrict
);
create trigger update_updated_at before update on auth.custom_oauth_configs
    for each row execute function system.update_updated_at();
