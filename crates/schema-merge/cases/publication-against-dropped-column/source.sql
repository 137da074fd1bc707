reset role; create publication p for table public.t (id, a);
