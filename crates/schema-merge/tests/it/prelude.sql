do $$
begin
  if not exists (select from pg_roles where rolname = 'anon') then
    create role anon nologin;
    create role authenticated nologin;
    create role project_admin nologin bypassrls;
  end if;
end $$;
create schema auth;
create schema storage;
create schema system;
create schema payments;
create schema email;
create schema functions;
create schema realtime;
create table auth.users (id uuid primary key default gen_random_uuid(), email text not null unique, is_project_admin boolean not null default false);
create function auth.uid() returns uuid language sql stable as $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
create function system.update_updated_at() returns trigger language plpgsql as $$ begin new.updated_at = now(); return new; end $$;
create table system.custom_migrations (version text primary key, name text not null, statements text[] not null, created_at timestamptz not null default now());
create table storage.buckets (name text primary key, public boolean default true, created_at timestamptz default now(), updated_at timestamptz default now(), cors_rules jsonb, versioning_status text not null default 'Disabled');
create table storage.objects (bucket text not null references storage.buckets on delete cascade, key text not null, size int not null, uploaded_by text, primary key (bucket, key));
create table payments.payment_history (id uuid primary key default gen_random_uuid(), type text, status text, updated_at timestamptz);
create table payments.checkout_sessions (id uuid primary key default gen_random_uuid(), url text);
create table email.templates (id uuid primary key default gen_random_uuid(), template_type text not null unique, subject text not null, body_html text not null);
create table auth.config (id uuid primary key default gen_random_uuid(), require_email_verification boolean not null default false,
  password_min_length int not null default 6, require_number boolean not null default false, require_lowercase boolean not null default false,
  require_uppercase boolean not null default false, require_special_char boolean not null default false, verify_email_method text not null default 'code',
  reset_password_method text not null default 'code', allowed_redirect_urls text[] default '{}', disable_signup boolean not null default false);
create table functions.definitions (id uuid primary key default gen_random_uuid(), slug varchar(255) not null unique, name varchar(255) not null,
  description text, code text not null, status varchar(50) default 'draft');
alter table storage.objects owner to project_admin;
alter table payments.payment_history owner to project_admin;
grant usage on schema auth, storage, system, payments, realtime to anon, authenticated, project_admin;
grant select, references on all tables in schema auth to project_admin;
grant all on all tables in schema storage, payments to project_admin;
grant create, usage on schema public to project_admin;
grant usage on schema public to anon, authenticated;
alter default privileges for role project_admin in schema public grant select, insert, update, delete on tables to authenticated;
alter default privileges for role project_admin in schema public grant usage on sequences to authenticated;
