reset role; create foreign table public.other_far (a int not null, b text) server s options (x 'y');
