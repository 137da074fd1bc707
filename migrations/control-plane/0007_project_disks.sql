-- The disk a project is entitled to. It only grows.

alter table projects add column disk_gib bigint not null default 8;
