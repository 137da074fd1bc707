alter index i rename to k;
