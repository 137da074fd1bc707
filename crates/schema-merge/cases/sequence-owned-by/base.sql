create table t (a int, b int); create sequence s1; create sequence s2 owned by t.a; create sequence s3 owned by t.a;
