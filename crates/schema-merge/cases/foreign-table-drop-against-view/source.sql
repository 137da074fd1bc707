reset role; drop foreign table public.f;
