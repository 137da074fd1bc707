-- Sign-ins through the operator's own clients: each row is a browser that is on its way to a provider and back. The state that it carries is
-- kept only as a hash; where it goes afterwards and what proves the sign-in are sealed.
create table shared_sign_ins (
    state_hash bytea primary key,
    project_id uuid not null references projects (id) on delete cascade,
    provider text not null,
    sealed_flow bytea not null,
    expires_at timestamptz not null
);
create index shared_sign_ins_project_id_idx on shared_sign_ins (project_id, expires_at);
create index shared_sign_ins_expires_at_idx on shared_sign_ins (expires_at);
