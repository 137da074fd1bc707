-- Indexes for what used to read whole tables.

-- Deleted projects are part of reports, so this index has them too.
create index projects_history_idx on projects (organization_id, created_at, id);
create index projects_customized_domain_idx on projects (customized_domain) where customized_domain is not null and deleted_at is null;
-- What reconcilers look for: a few at any time, however many projects there are. Queries repeat the condition word for word.
create index projects_unserved_idx on projects (id) where deleted_at is null
    and (intent = 'deleted' or intent = 'active' and observed <> 'serving' or intent = 'paused' and observed = 'absent');
create index operations_rehearsal_idx on operations ((input ->> 'rehearsal_id'))
    where kind in ('branch_merge', 'branch_update', 'branch_merge_undo');
