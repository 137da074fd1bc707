create table t (id int primary key, n int); create materialized view a as select id, n from t with no data;
