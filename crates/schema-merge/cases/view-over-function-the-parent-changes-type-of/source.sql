create view over_total as select n from t where n = total()::text;
