alter table t alter a type pg_catalog.text using a::text;
