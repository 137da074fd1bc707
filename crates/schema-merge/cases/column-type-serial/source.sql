alter table t alter id type bigint; alter sequence t_id_seq as bigint;
