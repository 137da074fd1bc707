create table u (id serial); create sequence t_id_seq1;
