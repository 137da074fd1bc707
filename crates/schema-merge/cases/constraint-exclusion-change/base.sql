create table r (id int, during tsrange, constraint x1 exclude using gist (during with &&), constraint x2 exclude using gist (during with &&) where (id > 0));
