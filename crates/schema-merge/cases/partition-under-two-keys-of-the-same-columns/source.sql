create table parts partition of wholes for values with (modulus 4, remainder 2);
