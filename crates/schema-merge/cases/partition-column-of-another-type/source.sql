create table readings_old (day date not null, value text default 'none');
