create unlogged table zones (code text primary key);
create unlogged table cities (id int primary key, zone text references zones);
create unlogged table addresses (id int primary key, city int references cities);
