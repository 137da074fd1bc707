-- as: owner
-- Who may do what in the internal schemas.

do $$
declare
    name text;
begin
    foreach name in array array['system', 'compute', 'deployments', 'email', 'functions', 'memory', 'schedules',
        'storage', 'payments', 'realtime', 'auth']
    loop
        execute format('grant usage on schema %I to project_admin', name);
    end loop;
    foreach name in array array['system', 'compute', 'deployments', 'email', 'functions', 'memory', 'schedules',
        'storage', 'payments', 'realtime']
    loop
        execute format('grant select on all tables in schema %I to project_admin', name);
        execute format('alter default privileges in schema %I grant select on tables to project_admin', name);
    end loop;
end
$$;

grant select on auth.config to project_admin;
grant select, insert, update, delete, references, trigger on auth.users to project_admin;
grant select, insert, update, delete
    on auth.oauth_configs, auth.custom_oauth_configs, auth.email_otps, auth.user_providers to project_admin;

grant insert, update, delete on email.templates to project_admin;

grant usage on schema storage to authenticated;
grant select, insert, update, delete on storage.buckets, storage.objects to authenticated;
-- Applications create their buckets in migrations. Deleting one would leave its bytes behind, so that goes through the API.
grant insert, update on storage.buckets to project_admin;

grant usage on schema realtime to anon, authenticated;
grant select on realtime.channels to anon, authenticated;
grant insert on realtime.messages to anon, authenticated;
grant select, insert, update, delete on realtime.channels to project_admin;
grant insert on realtime.messages to project_admin;
grant execute on function realtime.publish(text, text, jsonb) to project_admin;

grant usage on schema payments to anon, authenticated;
grant select, insert
    on payments.stripe_checkout_sessions, payments.stripe_customer_portal_sessions, payments.razorpay_orders
    to anon, authenticated, project_admin;
grant select, insert on payments.razorpay_subscriptions to authenticated, project_admin;
grant update (updated_at) on payments.razorpay_subscriptions to authenticated;
grant update on payments.razorpay_subscriptions to project_admin;
grant trigger
    on payments.webhook_events, payments.stripe_checkout_sessions, payments.stripe_customer_portal_sessions
    to project_admin;
