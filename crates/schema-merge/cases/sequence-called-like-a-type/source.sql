alter sequence t_id_seq rename to ids;
