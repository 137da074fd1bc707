alter index wholes_pkey rename to "another key";
