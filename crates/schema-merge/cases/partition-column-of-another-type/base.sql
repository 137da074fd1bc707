create table readings (day date not null, value int) partition by range (day);
