comment on type level is 'c';
