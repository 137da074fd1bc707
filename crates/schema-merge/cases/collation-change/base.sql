create collation plain (provider = libc, locale = 'C'); create table t (a text collate plain, b int);
