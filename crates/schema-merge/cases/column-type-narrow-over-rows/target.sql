insert into t values (3000000000);
