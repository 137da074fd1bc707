-- Merges that can be undone, and the documents that merges need and operations are too small for.

create table merges (
    operation_id uuid primary key references operations (id) on delete cascade,
    branch_id uuid not null references projects (id) on delete cascade,
    parent_id uuid not null references projects (id) on delete cascade,
    state text not null constraint merges_state_check check (state in ('open', 'superseded', 'undone', 'closed')),
    merged_at timestamptz not null,
    -- Until then the merge can be undone; afterwards what was kept for that is removed.
    undo_until timestamptz not null,
    -- What the parent keeps, of the merge and of its undo.
    shadow jsonb,
    undo_shadow jsonb,
    -- What the branch was before, given back by an undo unless the branch was reset meanwhile.
    restores_base boolean not null default true,
    previous_base jsonb,
    previous_base_hash text,
    previous_merged boolean not null
);

create index merges_branch_id_idx on merges (branch_id, merged_at desc);
create index merges_parent_id_idx on merges (parent_id) where state <> 'closed';
create index merges_undo_until_idx on merges (undo_until) where state <> 'closed';

-- Snapshots of schemas that a later step or an undo needs.
create table operation_documents (
    operation_id uuid not null references operations (id) on delete cascade,
    name text not null,
    body jsonb not null,
    primary key (operation_id, name)
);
