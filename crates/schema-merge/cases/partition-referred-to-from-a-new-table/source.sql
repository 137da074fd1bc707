create table parts partition of wholes for values with (modulus 4, remainder 2);
create table "grüße" (body smallint not null, ref int references wholes on delete set null deferrable);
