alter sequence s1 increment by 5 maxvalue 1000 cycle; drop sequence s2; create sequence s3 as smallint start 10; alter table t add column n int default nextval('s3'); alter sequence s3 owned by t.n;
