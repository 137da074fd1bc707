drop table app.t; drop schema app; drop extension citext;
