create table readings_old (day date not null, value int, source text default 'import');
