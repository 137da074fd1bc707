create index i on public.t using btree (a asc nulls last);
