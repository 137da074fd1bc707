create collation plain (provider = libc, locale = 'C'); create table t (id int);
