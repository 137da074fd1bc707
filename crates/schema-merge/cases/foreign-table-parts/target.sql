reset role; alter foreign table public.f add column e int;
