create schema app; create table app.rates (id int primary key, value int);
