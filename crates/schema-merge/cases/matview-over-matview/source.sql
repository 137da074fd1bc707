create materialized view b as select n from a with no data; create materialized view c as select id from t; create materialized view d as select id from c;
