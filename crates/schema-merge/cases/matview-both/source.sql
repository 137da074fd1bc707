drop materialized view m; create materialized view m as select id, score from notes;
