-- as: superuser
-- What happens after DDL: the data API is told, and tables lent to project_admin are checked.
--
-- Only the owner of a table may put policies on it, so project_admin owns the seven internal tables that applications put
-- policies on. In exchange it must leave their columns, constraints, owner and internal triggers as they are.

do $$
declare
    owner constant text := current_setting('hearth.owner');
    name text;
begin
    foreach name in array array['storage.objects', 'realtime.channels', 'realtime.messages',
        'payments.stripe_checkout_sessions', 'payments.stripe_customer_portal_sessions',
        'payments.razorpay_orders', 'payments.razorpay_subscriptions']
    loop
        execute format('grant all on table %s to %I', name, owner);
        execute format('alter table %s owner to project_admin', name);
    end loop;
end
$$;

-- The shape of a table: what applications must not change. Policies, row security, indexes and own triggers are not part of it.
create function system.table_fingerprint(table_name text) returns text
language sql
stable
set search_path = ''
as $$
    select pg_catalog.md5(pg_catalog.concat_ws('|',
        pg_catalog.pg_get_userbyid(c.relowner), c.relkind, c.relpersistence, c.relhasrules, c.relispartition,
        (select pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
                a.attnotnull, a.attidentity, a.attgenerated, pg_catalog.pg_get_expr(d.adbin, d.adrelid)), ',' order by a.attnum)
            from pg_catalog.pg_attribute a
            left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
        (select pg_catalog.string_agg(pg_catalog.concat_ws(' ', k.conname, pg_catalog.pg_get_constraintdef(k.oid)), ',' order by k.conname)
            from pg_catalog.pg_constraint k where k.conrelid = c.oid),
        (select pg_catalog.string_agg(pg_catalog.concat_ws(' ', t.tgname, t.tgenabled, t.tgfoid::regproc), ',' order by t.tgname)
            from pg_catalog.pg_trigger t
            where t.tgrelid = c.oid and not t.tgisinternal and t.tgname in ('update_updated_at', 'trg_message_notify'))))
    from pg_catalog.pg_class c
    where c.oid = pg_catalog.to_regclass(table_name)
$$;

-- Event trigger: refuses changes of project_admin to the shape of a table it was lent.
create function system.guard_protected_tables() returns event_trigger
language plpgsql
set search_path = ''
as $$
declare
    changed text;
begin
    if current_user <> 'project_admin' then
        return;
    end if;
    select p.name into changed
    from system.protected_tables p
    where p.fingerprint is distinct from system.table_fingerprint(p.name)
    limit 1;
    if changed is not null then
        raise exception using
            errcode = 'insufficient_privilege',
            message = pg_catalog.format('%s is an internal table: only its policies, row security, indexes and triggers can be changed', changed);
    end if;
end
$$;

-- Event trigger: tells the data API that the schema changed. Temporary objects are nobody else's business.
create function system.notify_schema_change() returns event_trigger
language plpgsql
set search_path = ''
as $$
begin
    if exists (select from pg_catalog.pg_event_trigger_ddl_commands())
        and not exists (select from pg_catalog.pg_event_trigger_ddl_commands() c where c.schema_name is distinct from 'pg_temp')
    then
        return;
    end if;
    perform pg_catalog.pg_notify('pgrst', 'reload schema');
end
$$;

-- Event trigger: schemas came or went.
create function system.on_schema_ddl() returns event_trigger
language plpgsql
set search_path = ''
as $$
begin
    perform system.sync_postgrest_exposed_schemas();
end
$$;

do $$
declare
    owner constant text := current_setting('hearth.owner');
begin
    execute format('alter function system.table_fingerprint(text) owner to %I', owner);
    insert into system.protected_tables (name, fingerprint)
    select name, system.table_fingerprint(name)
    from unnest(array['storage.objects', 'realtime.channels', 'realtime.messages',
        'payments.stripe_checkout_sessions', 'payments.stripe_customer_portal_sessions',
        'payments.razorpay_orders', 'payments.razorpay_subscriptions']) as name;
end
$$;

create event trigger hearth_guard_protected_tables on ddl_command_end
    when tag in ('ALTER TABLE', 'DROP TABLE', 'DROP OWNED', 'DROP RULE', 'CREATE RULE', 'ALTER RULE', 'ALTER TRIGGER',
        'CREATE TRIGGER', 'DROP TRIGGER', 'DROP INDEX', 'DROP FUNCTION', 'DROP TYPE', 'DROP SCHEMA', 'DROP EXTENSION', 'DROP SEQUENCE')
    execute function system.guard_protected_tables();
create event trigger hearth_notify_schema_change on ddl_command_end
    execute function system.notify_schema_change();
create event trigger insforge_sync_postgrest_schemas on ddl_command_end
    when tag in ('CREATE SCHEMA', 'ALTER SCHEMA', 'DROP SCHEMA')
    execute function system.on_schema_ddl();
