drop materialized view m; alter table notes alter score type bigint; create materialized view m as select id, score from notes;
