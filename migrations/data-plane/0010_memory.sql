-- as: superuser
-- Schema memory, where the extension vector is installed on the machine; elsewhere the schema stays empty.

do $migration$
begin
    execute format('create schema memory authorization %I', current_setting('hearth.owner'));
    if not exists (select from pg_available_extensions where name = 'vector') then
        return;
    end if;
    create extension if not exists vector with schema public;
    execute format('set local role %I', current_setting('hearth.owner'));

    -- Agent memory vectors.
    create table memory.memories (
        id uuid not null default gen_random_uuid(),
        scope text not null,
        kind text not null,
        title text not null,
        content text not null,
        embedding public.vector(1536) not null,
        embedding_model text not null default 'openai/text-embedding-3-small',
        source text,
        content_tsv tsvector generated always as (to_tsvector('english', title || ' ' || content)) stored,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint memories_pkey primary key (id),
        constraint memories_kind_check check (kind in ('fact', 'decision', 'preference', 'reference'))
    );
    create trigger update_updated_at before update on memory.memories
        for each row execute function system.update_updated_at();
    create index memories_scope_idx on memory.memories (scope);
    create index memories_content_tsv_idx on memory.memories using gin (content_tsv);
    create index memories_embedding_idx on memory.memories using hnsw (embedding public.vector_cosine_ops);

    reset role;
end
$migration$;
