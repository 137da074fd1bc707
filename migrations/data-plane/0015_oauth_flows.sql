-- as: owner
-- Sign-ins through providers on their way. Rows live for minutes; they are stored, so that a restart in between breaks no sign-in.

-- States given to providers. Only a hash is stored; the secrets are the PKCE verifier and the nonce, encrypted.
create table auth.oauth_states (
    state_hash text not null,
    secrets_encrypted text not null,
    expires_at timestamptz not null,
    constraint oauth_states_pkey primary key (state_hash)
);
create index oauth_states_expires_at_idx on auth.oauth_states (expires_at);

-- Codes that an application exchanges for a session, with the challenge that its verifier must meet.
create table auth.oauth_exchange_codes (
    code_hash text not null,
    user_id uuid not null,
    code_challenge text not null,
    expires_at timestamptz not null,
    constraint oauth_exchange_codes_pkey primary key (code_hash),
    constraint oauth_exchange_codes_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);
create index oauth_exchange_codes_expires_at_idx on auth.oauth_exchange_codes (expires_at);

-- Link tokens are looked up by their hash.
create index email_otps_otp_hash_idx on auth.email_otps (otp_hash) where otp_type = 'HASH_TOKEN';
