create function slug(text) returns text language sql immutable as $$ select lower(regexp_replace($1, '\W+', '-', 'g')) $$; create index notes_slug on notes (slug(title));
