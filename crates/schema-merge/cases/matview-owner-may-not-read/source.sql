reset role;
drop materialized view titles;
create materialized view titles as select id, title from notes with no data;
alter materialized view titles owner to project_admin;
