-- Which plan an organization has had since when, so that the bill of a cycle that is over does not change with the plan.
create table organization_plans (
    organization_id uuid not null references organizations (id) on delete cascade,
    since timestamptz not null,
    plan text not null,
    primary key (organization_id, since)
);

insert into organization_plans (organization_id, since, plan) select id, created_at, plan from organizations;
