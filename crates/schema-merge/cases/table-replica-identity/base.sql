create table cache (k text not null, v text); create unique index cache_k on cache (k);
