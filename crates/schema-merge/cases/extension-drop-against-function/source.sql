alter table notes add column token text default encode(gen_random_bytes(8), 'hex');
