create materialized view m as select id from notes; create table parts (id int) partition by range (id); create type pair as (a int, b int);
