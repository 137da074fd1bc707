-- as: superuser
-- Roles, and what they may do in schema public. The setting hearth.owner names the owner of the internal schemas.
--
-- Tenants' SQL runs in sessions of authenticator, which may become anon, authenticated and project_admin and nothing else.

do $$
declare
    owner constant text := current_setting('hearth.owner');
    role text;
begin
    if not exists (select from pg_roles where rolname = owner) then
        execute format('create role %I login bypassrls', owner);
    end if;
    foreach role in array array['anon', 'authenticated', 'project_admin'] loop
        if not exists (select from pg_roles where rolname = role) then
            execute format('create role %I nologin', role);
        end if;
        execute format('grant %I to %I', role, owner);
    end loop;
    alter role project_admin bypassrls;
    if not exists (select from pg_roles where rolname = 'authenticator') then
        create role authenticator login noinherit nosuperuser nocreatedb nocreaterole;
    end if;
    grant anon, authenticated, project_admin to authenticator;

    execute format('grant create, connect, temporary on database %I to %I', current_database(), owner);
    execute format('grant create, connect, temporary on database %I to project_admin', current_database());
    execute format('grant connect on database %I to authenticator', current_database());

    -- Emptying tables for a schema-only branch must not run tenants' triggers.
    execute format('grant set on parameter session_replication_role to %I', owner);

    revoke create on schema public from public;
    grant usage on schema public to anon, authenticated;
    grant usage, create on schema public to project_admin;
    execute format('grant usage, create on schema public to %I', owner);

    foreach role in array array[owner, 'project_admin'] loop
        execute format('alter default privileges for role %I in schema public
            grant select, insert, update, delete on tables to anon, authenticated', role);
        execute format('alter default privileges for role %I in schema public
            grant usage, select on sequences to anon, authenticated', role);
        execute format('alter default privileges for role %I in schema public
            grant all on tables to project_admin', role);
        execute format('alter default privileges for role %I in schema public
            grant all on sequences to project_admin', role);
        execute format('alter default privileges for role %I in schema public
            grant execute on functions to project_admin', role);
    end loop;
end
$$;
