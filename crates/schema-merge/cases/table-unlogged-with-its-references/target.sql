comment on table cities is 'where people live';
