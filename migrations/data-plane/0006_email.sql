-- as: owner
-- Schema email: how mail is sent, and its texts.

create schema email;

-- SMTP singleton.
create table email.config (
    id uuid not null default gen_random_uuid(),
    enabled boolean not null default false,
    host text not null default '',
    port integer not null default 465,
    username text not null default '',
    password_encrypted text not null default '',
    sender_email text not null default '',
    sender_name text not null default '',
    min_interval_seconds integer not null default 60,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint config_pkey primary key (id)
);
create unique index config_singleton on email.config ((1));

-- Mail templates.
create table email.templates (
    id uuid not null default gen_random_uuid(),
    template_type text not null,
    subject text not null,
    body_html text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint templates_pkey primary key (id),
    constraint templates_template_type_key unique (template_type)
);

insert into email.config default values;

insert into email.templates (template_type, subject, body_html) values
    ('email-verification-code', 'Your verification code',
     '<p>Hello {{ name }},</p><p>your verification code is <strong>{{ token }}</strong>. It is valid for 15 minutes.</p>'),
    ('email-verification-link', 'Confirm your e-mail address',
     '<p>Hello {{ name }},</p><p><a href="{{ link }}">confirm your e-mail address</a>. The link is valid for 24 hours.</p>'),
    ('request-otp', 'Your sign-in code',
     '<p>Hello {{ name }},</p><p>your sign-in code is <strong>{{ token }}</strong>. It is valid for 5 minutes.</p>'),
    ('reset-password-code', 'Your password reset code',
     '<p>Hello {{ name }},</p><p>your password reset code is <strong>{{ token }}</strong>. It is valid for 15 minutes.</p>'),
    ('reset-password-link', 'Reset your password',
     '<p>Hello {{ name }},</p><p><a href="{{ link }}">choose a new password</a>. The link is valid for 24 hours.</p>');
