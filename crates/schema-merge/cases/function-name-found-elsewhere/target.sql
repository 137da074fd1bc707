create table public.rates (id int primary key, value int);
