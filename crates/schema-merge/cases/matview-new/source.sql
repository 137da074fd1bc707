create materialized view m as select id from notes;
