create schema app; create table app.b (id int);
