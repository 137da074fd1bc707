alter table t alter a set default nextval('s');
