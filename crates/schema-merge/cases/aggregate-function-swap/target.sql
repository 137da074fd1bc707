comment on function add_to(numeric, integer) is 'step';
