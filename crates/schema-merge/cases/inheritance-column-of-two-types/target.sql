alter table animals add column weight numeric(6,2);
