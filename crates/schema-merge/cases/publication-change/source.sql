reset role; alter publication p add table public.u; alter publication q drop table public.t; alter publication q set (publish = 'insert'); alter publication r rename to rr;
