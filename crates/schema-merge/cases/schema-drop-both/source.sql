drop table app.t; drop schema app;
