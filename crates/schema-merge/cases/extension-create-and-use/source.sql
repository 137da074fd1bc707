create extension citext; create extension pg_trgm; create table people (email citext primary key, name text); create index people_name on people using gin (name gin_trgm_ops);
