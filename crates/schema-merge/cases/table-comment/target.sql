comment on column notes.body is 'z';
