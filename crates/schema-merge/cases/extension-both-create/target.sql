create extension citext; create table b (c citext);
