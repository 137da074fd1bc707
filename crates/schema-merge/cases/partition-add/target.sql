alter table parts add column c text;
