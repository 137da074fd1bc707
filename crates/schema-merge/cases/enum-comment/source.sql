comment on type level is 'b';
