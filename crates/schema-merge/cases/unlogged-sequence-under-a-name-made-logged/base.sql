create unlogged table notes (id serial primary key, body text);
