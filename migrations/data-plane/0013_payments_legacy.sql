-- as: owner
-- The older names of payment tables. Published application templates still hang their fulfilment triggers on payment_history
-- and look sessions up in checkout_sessions, so both exist and follow the tables that replaced them.

create table payments.payment_history (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    type text not null,
    status text not null,
    subject_type text,
    subject_id text,
    stripe_customer_id text,
    customer_email_snapshot text,
    stripe_checkout_session_id text,
    stripe_payment_intent_id text,
    amount bigint,
    amount_refunded bigint not null default 0,
    currency text,
    description text,
    paid_at timestamptz,
    failed_at timestamptz,
    refunded_at timestamptz,
    raw jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint payment_history_pkey primary key (id),
    constraint payment_history_environment_check check (environment in ('test', 'live'))
);

create view payments.checkout_sessions as
select
    id, environment, mode, status, payment_status, subject_type, subject_id, customer_email, line_items, metadata,
    checkout_session_id as stripe_checkout_session_id,
    customer_id as stripe_customer_id,
    payment_intent_id as stripe_payment_intent_id,
    subscription_id as stripe_subscription_id,
    url, last_error, raw, created_at, updated_at
from payments.stripe_checkout_sessions;

-- Trigger: a Stripe transaction appears in payment_history under its own id.
create function payments.follow_transaction() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
    session text;
begin
    select s.checkout_session_id into session
    from payments.stripe_checkout_sessions s
    where s.environment = new.environment
        and (s.payment_intent_id = new.provider_object_id
            or s.checkout_session_id in (new.provider_object_id, new.provider_parent_object_id))
    order by s.created_at desc
    limit 1;
    insert into payments.payment_history (
        id, environment, type, status, subject_type, subject_id, stripe_customer_id, customer_email_snapshot,
        stripe_checkout_session_id, stripe_payment_intent_id, amount, amount_refunded, currency, description,
        paid_at, failed_at, refunded_at, raw
    ) values (
        new.id, new.environment, new.type, new.status, new.subject_type, new.subject_id, new.provider_customer_id,
        new.customer_email_snapshot, session,
        case when new.provider_object_type = 'payment_intent' then new.provider_object_id end,
        new.amount, new.amount_refunded, new.currency, new.description, new.paid_at, new.failed_at, new.refunded_at, new.raw
    )
    on conflict (id) do update set
        type = excluded.type,
        status = excluded.status,
        subject_type = excluded.subject_type,
        subject_id = excluded.subject_id,
        stripe_checkout_session_id = coalesce(excluded.stripe_checkout_session_id, payment_history.stripe_checkout_session_id),
        stripe_payment_intent_id = coalesce(excluded.stripe_payment_intent_id, payment_history.stripe_payment_intent_id),
        amount = excluded.amount,
        amount_refunded = excluded.amount_refunded,
        paid_at = excluded.paid_at,
        failed_at = excluded.failed_at,
        refunded_at = excluded.refunded_at,
        raw = excluded.raw,
        updated_at = now();
    return null;
end
$$;
create trigger follow_transaction after insert or update on payments.transactions
    for each row when (new.provider = 'stripe') execute function payments.follow_transaction();

grant select on payments.payment_history, payments.checkout_sessions to project_admin;
grant trigger on payments.payment_history to project_admin;
