create schema "sch; drop schema public; --";
create type "sch; drop schema public; --"."ty""pe" as enum ('it''s', E'back\\slash', '$$');
create domain "select" as text constraint "che""ck" check (value <> E'\n''');
