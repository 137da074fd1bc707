create view v as select id, a, sum(b) as b from t group by id;
