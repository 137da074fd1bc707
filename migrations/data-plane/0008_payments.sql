-- as: owner
-- Schema payments: what payment providers told us, and the checkouts that were begun here.

create schema payments;

-- Provider account state.
create table payments.provider_connections (
    id uuid not null default gen_random_uuid(),
    provider text not null,
    environment text not null,
    status text not null default 'unconfigured',
    provider_account_id text,
    account_email text,
    account_name text,
    account_livemode boolean,
    webhook_endpoint_id text,
    webhook_endpoint_url text,
    webhook_configured_at timestamptz,
    last_synced_at timestamptz,
    last_sync_status text,
    last_sync_error text,
    last_sync_counts jsonb not null default '{}',
    raw jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint provider_connections_pkey primary key (id),
    constraint provider_connections_environment_check check (environment in ('test', 'live')),
    constraint provider_connections_provider_check check (provider in ('stripe', 'razorpay')),
    constraint provider_connections_environment_key unique (provider, environment),
    constraint provider_connections_status_check check (status in ('unconfigured', 'connected', 'error'))
);
create trigger update_updated_at before update on payments.provider_connections
    for each row execute function system.update_updated_at();

-- Provider customers mirror.
create table payments.customers (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    email text,
    name text,
    phone text,
    deleted boolean not null default false,
    metadata jsonb not null default '{}',
    raw jsonb not null default '{}',
    synced_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    provider text not null,
    provider_customer_id text not null,
    provider_created_at timestamptz,
    constraint customers_pkey primary key (id),
    constraint customers_environment_check check (environment in ('test', 'live')),
    constraint customers_provider_check check (provider in ('stripe', 'razorpay')),
    constraint customers_provider_customer_id_key unique (provider, environment, provider_customer_id)
);
create trigger update_updated_at before update on payments.customers
    for each row execute function system.update_updated_at();

-- Subject ↔ provider customer.
create table payments.customer_mappings (
    id uuid not null default gen_random_uuid(),
    provider text not null,
    environment text not null,
    subject_type text not null,
    subject_id text not null,
    provider_customer_id text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint customer_mappings_pkey primary key (id),
    constraint customer_mappings_environment_check check (environment in ('test', 'live')),
    constraint customer_mappings_provider_check check (provider in ('stripe', 'razorpay')),
    constraint customer_mappings_subject_id_key unique (provider, environment, subject_type, subject_id),
    constraint customer_mappings_provider_customer_id_key unique (provider, environment, provider_customer_id)
);
create trigger update_updated_at before update on payments.customer_mappings
    for each row execute function system.update_updated_at();

-- Mirror.
create table payments.stripe_products (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    product_id text not null,
    name text not null,
    description text,
    active boolean not null,
    default_price_id text,
    metadata jsonb not null default '{}',
    raw jsonb not null default '{}',
    synced_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint stripe_products_pkey primary key (id),
    constraint stripe_products_environment_check check (environment in ('test', 'live')),
    constraint stripe_products_product_id_key unique (environment, product_id)
);
create trigger update_updated_at before update on payments.stripe_products
    for each row execute function system.update_updated_at();

-- Mirror.
create table payments.stripe_prices (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    price_id text not null,
    product_id text,
    active boolean not null,
    currency text not null,
    unit_amount bigint,
    unit_amount_decimal text,
    type text not null,
    lookup_key text,
    billing_scheme text,
    tax_behavior text,
    recurring_interval text,
    recurring_interval_count integer,
    metadata jsonb not null default '{}',
    raw jsonb not null default '{}',
    synced_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint stripe_prices_pkey primary key (id),
    constraint stripe_prices_environment_check check (environment in ('test', 'live')),
    constraint stripe_prices_price_id_key unique (environment, price_id)
);
create trigger update_updated_at before update on payments.stripe_prices
    for each row execute function system.update_updated_at();

-- Checkout intents (RLS).
create table payments.stripe_checkout_sessions (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    mode text not null,
    status text not null default 'initialized',
    payment_status text,
    subject_type text,
    subject_id text,
    customer_email text,
    line_items jsonb not null default '[]',
    success_url text not null,
    cancel_url text not null,
    idempotency_key text,
    metadata jsonb not null default '{}',
    checkout_session_id text,
    customer_id text,
    payment_intent_id text,
    subscription_id text,
    url text,
    last_error text,
    raw jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    request_hash text,
    constraint stripe_checkout_sessions_pkey primary key (id),
    constraint stripe_checkout_sessions_environment_check check (environment in ('test', 'live')),
    constraint stripe_checkout_sessions_mode_check check (mode in ('payment', 'subscription')),
    constraint stripe_checkout_sessions_status_check check (status in ('initialized', 'open', 'completed', 'expired', 'failed')),
    constraint stripe_checkout_sessions_payment_status_check check (payment_status in ('paid', 'unpaid', 'no_payment_required'))
);
create unique index stripe_checkout_sessions_checkout_session_id_key on payments.stripe_checkout_sessions (environment, checkout_session_id) where checkout_session_id is not null;
create unique index stripe_checkout_sessions_idempotency_key_key on payments.stripe_checkout_sessions (environment, idempotency_key) where idempotency_key is not null;
create trigger update_updated_at before update on payments.stripe_checkout_sessions
    for each row execute function system.update_updated_at();

-- Portal intents (RLS).
create table payments.stripe_customer_portal_sessions (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    status text not null default 'initialized',
    subject_type text not null,
    subject_id text not null,
    customer_id text,
    return_url text,
    configuration_id text,
    url text,
    last_error text,
    raw jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint stripe_customer_portal_sessions_pkey primary key (id),
    constraint stripe_customer_portal_sessions_environment_check check (environment in ('test', 'live')),
    constraint stripe_customer_portal_sessions_status_check check (status in ('initialized', 'created', 'failed'))
);
create trigger update_updated_at before update on payments.stripe_customer_portal_sessions
    for each row execute function system.update_updated_at();

-- Mirror.
create table payments.stripe_subscriptions (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    subscription_id text not null,
    customer_id text not null,
    subject_type text,
    subject_id text,
    status text not null,
    current_period_start timestamptz,
    current_period_end timestamptz,
    cancel_at_period_end boolean not null default false,
    cancel_at timestamptz,
    canceled_at timestamptz,
    trial_start timestamptz,
    trial_end timestamptz,
    latest_invoice_id text,
    metadata jsonb not null default '{}',
    raw jsonb not null default '{}',
    synced_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint stripe_subscriptions_pkey primary key (id),
    constraint stripe_subscriptions_environment_check check (environment in ('test', 'live')),
    constraint stripe_subscriptions_subscription_id_key unique (environment, subscription_id)
);
create trigger update_updated_at before update on payments.stripe_subscriptions
    for each row execute function system.update_updated_at();

-- Mirror.
create table payments.stripe_subscription_items (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    subscription_item_id text not null,
    subscription_id text not null,
    product_id text,
    price_id text,
    quantity bigint,
    metadata jsonb not null default '{}',
    raw jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint stripe_subscription_items_pkey primary key (id),
    constraint stripe_subscription_items_environment_check check (environment in ('test', 'live')),
    constraint stripe_subscription_items_subscription_item_id_key unique (environment, subscription_item_id)
);
create trigger update_updated_at before update on payments.stripe_subscription_items
    for each row execute function system.update_updated_at();

-- Mirror.
create table payments.razorpay_items (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    item_id text not null,
    name text not null,
    description text,
    active boolean not null default true,
    amount bigint,
    unit_amount bigint,
    currency text not null,
    type text,
    raw jsonb not null default '{}',
    provider_created_at timestamptz,
    synced_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint razorpay_items_pkey primary key (id),
    constraint razorpay_items_environment_check check (environment in ('test', 'live')),
    constraint razorpay_items_item_id_key unique (environment, item_id)
);
create trigger update_updated_at before update on payments.razorpay_items
    for each row execute function system.update_updated_at();

-- Mirror.
create table payments.razorpay_plans (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    plan_id text not null,
    item_id text not null,
    period text not null,
    interval integer not null,
    amount bigint,
    unit_amount bigint,
    currency text not null,
    active boolean not null default true,
    notes jsonb not null default '{}',
    raw jsonb not null default '{}',
    provider_created_at timestamptz,
    synced_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint razorpay_plans_pkey primary key (id),
    constraint razorpay_plans_environment_check check (environment in ('test', 'live')),
    constraint razorpay_plans_plan_id_key unique (environment, plan_id)
);
create trigger update_updated_at before update on payments.razorpay_plans
    for each row execute function system.update_updated_at();

-- Checkout intents (RLS).
create table payments.razorpay_orders (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    status text not null default 'initialized',
    subject_type text,
    subject_id text,
    customer_name text,
    customer_email text,
    customer_contact text,
    order_id text,
    receipt text,
    amount bigint not null,
    amount_paid bigint,
    amount_due bigint,
    currency text not null,
    attempts integer,
    verified_payment_id text,
    verified_at timestamptz,
    description text,
    callback_url text,
    notes jsonb not null default '{}',
    raw jsonb not null default '{}',
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint razorpay_orders_pkey primary key (id),
    constraint razorpay_orders_environment_check check (environment in ('test', 'live')),
    constraint razorpay_orders_status_check check (status in ('initialized', 'created', 'attempted', 'paid', 'failed'))
);
create unique index razorpay_orders_order_id_key on payments.razorpay_orders (environment, order_id) where order_id is not null;
create trigger update_updated_at before update on payments.razorpay_orders
    for each row execute function system.update_updated_at();

-- Mirror (RLS).
create table payments.razorpay_subscriptions (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    subscription_id text not null,
    plan_id text not null,
    customer_id text,
    subject_type text,
    subject_id text,
    status text not null,
    current_start timestamptz,
    current_end timestamptz,
    ended_at timestamptz,
    quantity bigint,
    charge_at timestamptz,
    start_at timestamptz,
    end_at timestamptz,
    total_count bigint,
    auth_attempts bigint,
    paid_count bigint,
    remaining_count bigint,
    short_url text,
    has_scheduled_changes boolean not null default false,
    change_scheduled_at timestamptz,
    offer_id text,
    authorization_payment_id text,
    authorization_verified_at timestamptz,
    notes jsonb not null default '{}',
    raw jsonb not null default '{}',
    provider_created_at timestamptz,
    synced_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint razorpay_subscriptions_pkey primary key (id),
    constraint razorpay_subscriptions_environment_check check (environment in ('test', 'live')),
    constraint razorpay_subscriptions_subscription_id_key unique (environment, subscription_id),
    constraint razorpay_subscriptions_status_check check (status in ('created', 'authenticated', 'active', 'pending', 'halted', 'cancelled', 'completed', 'expired', 'paused'))
);
create trigger update_updated_at before update on payments.razorpay_subscriptions
    for each row execute function system.update_updated_at();

-- Payment ledger projection.
create table payments.transactions (
    id uuid not null default gen_random_uuid(),
    provider text not null,
    environment text not null,
    type text not null,
    status text not null,
    subject_type text,
    subject_id text,
    provider_customer_id text,
    customer_email_snapshot text,
    provider_object_type text,
    provider_object_id text,
    provider_parent_object_type text,
    provider_parent_object_id text,
    related_object_ids jsonb not null default '{}',
    amount bigint,
    amount_refunded bigint not null default 0,
    currency text,
    description text,
    paid_at timestamptz,
    failed_at timestamptz,
    refunded_at timestamptz,
    provider_created_at timestamptz,
    raw jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint transactions_pkey primary key (id),
    constraint transactions_environment_check check (environment in ('test', 'live')),
    constraint transactions_provider_check check (provider in ('stripe', 'razorpay')),
    constraint transactions_type_check check (type in ('one_time_payment', 'subscription_invoice', 'refund', 'failed_payment')),
    constraint transactions_status_check check (status in ('succeeded', 'failed', 'pending', 'refunded', 'partially_refunded'))
);
create unique index transactions_provider_object_key on payments.transactions (provider, environment, provider_object_type, provider_object_id) where provider_object_id is not null;
create trigger update_updated_at before update on payments.transactions
    for each row execute function system.update_updated_at();

-- Webhook inbox (developer triggers hang here).
create table payments.webhook_events (
    id uuid not null default gen_random_uuid(),
    environment text not null,
    event_type text not null,
    livemode boolean not null,
    object_type text,
    object_id text,
    processing_status text not null default 'pending',
    attempt_count integer not null default 0,
    last_error text,
    payload jsonb not null,
    received_at timestamptz not null default now(),
    processed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    provider text not null,
    provider_event_id text not null,
    provider_account_id text,
    constraint webhook_events_pkey primary key (id),
    constraint webhook_events_environment_check check (environment in ('test', 'live')),
    constraint webhook_events_provider_check check (provider in ('stripe', 'razorpay')),
    constraint webhook_events_provider_event_id_key unique (provider, environment, provider_event_id),
    constraint webhook_events_processing_status_check check (processing_status in ('pending', 'processed', 'failed', 'ignored'))
);
create trigger update_updated_at before update on payments.webhook_events
    for each row execute function system.update_updated_at();
