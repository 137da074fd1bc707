create type level as enum ('mid', 'high');
