create materialized view m as select body from notes;
