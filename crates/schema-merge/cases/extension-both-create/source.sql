create extension citext; create table a (c citext);
