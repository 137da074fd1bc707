-- Sizes are gauges: a day without a sample has the last value of the days before. Totals of organizations and partners are kept as
-- differences, so that a day costs what changed in it and not how many projects there are.

alter table usage_days
    add column last_amount bigint,
    add column last_at timestamptz;
update usage_days set last_amount = amount, last_at = day + time '23:59:59.999999' at time zone 'UTC'
    where metric in ('database_bytes', 'storage_bytes');
-- What is asked for is always one metric of one project, in the order of its days.
alter table usage_days drop constraint usage_days_pkey, add primary key (project_id, metric, day);

create table usage_totals (
    -- An organization or a partner; the nil id for records of projects that nobody knows.
    scope uuid not null,
    metric text not null,
    day date not null,
    -- Spreads writers that add to one total at once.
    shard smallint not null,
    -- A counter's sum. Of a gauge: how far the day's peaks are above what was carried into the day.
    amount bigint not null default 0,
    -- Of a gauge: how much more is carried out of the day than into it.
    step bigint not null default 0,
    primary key (scope, metric, day, shard)
);

insert into usage_totals (scope, metric, day, shard, amount, step)
select s.scope, d.metric, d.day, 0,
       sum(case when d.last_amount is null then d.amount else greatest(d.amount, d.carried) - d.carried end),
       sum(coalesce(d.last_amount - d.carried, 0))
from (
    select u.*, coalesce(lag(u.last_amount) over (partition by u.project_id, u.metric order by u.day), 0) as carried
    from usage_days u
) d
left join projects p on p.id = d.project_id
cross join lateral (values (coalesce(p.organization_id, '00000000-0000-0000-0000-000000000000'))) as s (scope)
group by s.scope, d.metric, d.day;
