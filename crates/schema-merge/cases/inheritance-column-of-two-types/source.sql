alter table dogs add column weight text;
