create table app.u (id int);
