-- as: owner
-- Developers' migrations run in sessions of authenticator, which afterwards records them itself, in the same transaction.

grant usage on schema system to authenticator;
grant select, insert on system.custom_migrations to authenticator;
