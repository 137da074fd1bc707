comment on column t.a is 'y';
