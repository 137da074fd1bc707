alter table parts alter b set not null, alter c drop not null;
