reset role; create foreign table public.parts_far partition of public.parts for values in (2) server s; create index parts_b on public.parts (b); alter table public.parts add column c int default 3;
