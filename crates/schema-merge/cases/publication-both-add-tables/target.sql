reset role; alter publication p add table public.u;
