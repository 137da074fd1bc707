alter table p alter id type uuid using gen_random_uuid();
