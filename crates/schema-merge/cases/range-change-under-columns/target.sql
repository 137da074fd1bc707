comment on index stays_s is 'kept'; grant select on starts to anon;
