create text search dictionary english_words (template = snowball, language = english, stopwords = english);
create text search dictionary "Plain 'one'" (template = simple, accept = false);
create text search configuration docs (copy = pg_catalog.english);
alter text search configuration docs alter mapping for asciiword, word with english_words, simple;
alter text search configuration docs drop mapping for url, host;
create index pages_body on pages using gin (to_tsvector('public.docs'::regconfig, body));
alter table pages add words tsvector generated always as (to_tsvector('public.docs'::regconfig, body)) stored;
comment on text search configuration docs is 'for pages';
comment on text search dictionary english_words is 'stems';
