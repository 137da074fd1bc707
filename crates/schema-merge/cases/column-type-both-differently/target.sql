alter table notes alter score type numeric;
