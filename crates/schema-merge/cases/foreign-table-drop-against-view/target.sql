reset role; create view public.v as select id from public.f;
