comment on constraint ok on t is 'y'; comment on constraint t_pkey on t is 'key';
