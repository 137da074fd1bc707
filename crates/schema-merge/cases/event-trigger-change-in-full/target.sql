comment on function note() is 'n';
