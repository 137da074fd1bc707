-- as: owner
-- Schema realtime: channels, their messages, and publishing from SQL.

create schema realtime;

-- Channel patterns.
create table realtime.channels (
    id uuid not null default gen_random_uuid(),
    pattern text not null,
    description text,
    webhook_urls text[],
    enabled boolean not null default true,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint channels_pkey primary key (id),
    constraint channels_pattern_key unique (pattern)
);
create trigger update_updated_at before update on realtime.channels
    for each row execute function system.update_updated_at();

-- Retention singleton.
create table realtime.config (
    id uuid not null default gen_random_uuid(),
    retention_days integer,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    constraint config_pkey primary key (id),
    constraint config_retention_days_check check (retention_days > 0)
);
create unique index config_singleton on realtime.config ((1));
create trigger update_updated_at before update on realtime.config
    for each row execute function system.update_updated_at();

-- Message log.
create table realtime.messages (
    id uuid not null default gen_random_uuid(),
    event_name text not null,
    channel_id uuid,
    channel_name text not null,
    payload jsonb not null default '{}',
    sender_type text not null default 'system',
    sender_id uuid,
    ws_audience_count integer not null default 0,
    wh_audience_count integer not null default 0,
    wh_delivered_count integer not null default 0,
    created_at timestamptz default now(),
    constraint messages_pkey primary key (id),
    constraint messages_channel_id_fkey foreign key (channel_id) references realtime.channels (id) on delete set null,
    constraint messages_sender_type_check check (sender_type in ('system', 'user'))
);
create index messages_channel_id_idx on realtime.messages (channel_id);
create index messages_created_at_idx on realtime.messages (created_at);

insert into realtime.config default values;

-- Channel that the current check is about.
create function realtime.channel_name() returns text
language sql
stable
as $$ select nullif(pg_catalog.current_setting('realtime.channel_name', true), '') $$;

-- Publishes to the channel of that name, else to one whose pattern it matches. Id of the message, null without a channel.
create function realtime.publish(channel text, event text, payload jsonb) returns uuid
language plpgsql
security definer
set search_path = ''
as $$
declare
    target uuid;
    message uuid;
begin
    select c.id into target
    from realtime.channels c
    where c.enabled and (c.pattern = channel or channel like c.pattern)
    order by (c.pattern = channel) desc, c.pattern
    limit 1;
    if target is null then
        raise warning 'no enabled channel matches %', channel;
        return null;
    end if;
    insert into realtime.messages (event_name, channel_id, channel_name, payload, sender_type)
    values (event, target, channel, coalesce(payload, '{}'), 'system')
    returning id into message;
    return message;
end
$$;
revoke execute on function realtime.publish(text, text, jsonb) from public;

-- Trigger: tells the backend process that there is a message to deliver.
create function realtime.notify_message() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    perform pg_catalog.pg_notify('realtime_message', new.id::text);
    return null;
end
$$;
create trigger trg_message_notify after insert on realtime.messages
    for each row execute function realtime.notify_message();

-- Removes messages older than the configured retention, a batch at a time; the number removed.
create function realtime.cleanup_messages(batch integer default 1000) returns bigint
language plpgsql
set search_path = ''
as $$
declare
    keep integer := (select retention_days from realtime.config);
    removed bigint := 0;
    round bigint;
begin
    if keep is null then
        return 0;
    end if;
    loop
        delete from realtime.messages where id in (
            select id from realtime.messages where created_at < now() - make_interval(days => keep) limit batch
        );
        get diagnostics round = row_count;
        removed := removed + round;
        exit when round < batch;
    end loop;
    return removed;
end
$$;
revoke execute on function realtime.cleanup_messages(integer) from public;
