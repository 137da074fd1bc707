drop view v; drop materialized view n; drop materialized view m;
