alter table notes add constraint c check (score > 0);
