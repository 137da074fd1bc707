comment on aggregate total(integer) is 'adds';
