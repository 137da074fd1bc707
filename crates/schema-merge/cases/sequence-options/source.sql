alter sequence s as bigint increment by 3 minvalue 1 maxvalue 99999 start with 7 cache 3 cycle; alter sequence r as integer; select setval('s', 700);
