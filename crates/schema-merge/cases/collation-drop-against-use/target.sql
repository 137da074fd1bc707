alter table t add column a text collate plain;
