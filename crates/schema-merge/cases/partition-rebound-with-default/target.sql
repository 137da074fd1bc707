comment on table parts_rest is 'the rest';
