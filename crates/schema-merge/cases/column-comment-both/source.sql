comment on column t.a is 'x';
