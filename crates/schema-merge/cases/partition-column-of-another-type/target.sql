create table readings_old partition of readings default;
