alter table t alter a type text collate "default"; drop collation plain; create collation plain (provider = libc, locale = 'POSIX'); alter table t alter a type text collate plain;
