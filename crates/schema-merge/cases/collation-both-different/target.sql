create collation plain (provider = libc, locale = 'POSIX');
