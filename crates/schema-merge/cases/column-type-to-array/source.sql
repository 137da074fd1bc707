alter table t alter a type text[] using a::text[];
