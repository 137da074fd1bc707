alter sequence s owned by t.a; alter table t alter a set default nextval('s');
