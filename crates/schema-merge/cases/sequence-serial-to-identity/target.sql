insert into a (n) values (2); comment on table b is 'b';
