-- as: owner
-- What merges have committed so far, so that one that was interrupted between two transactions goes on, and what its rehearsal showed.

create table system.merge_segments (
    operation_id uuid not null,
    plan_hash text not null,
    segment integer not null,
    catalog_hash text not null,
    applied_at timestamptz not null default now(),
    constraint merge_segments_pkey primary key (operation_id, plan_hash, segment)
);

alter table system.branch_merges add column report json;
