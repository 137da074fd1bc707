create function notes_of(n notes) returns text language sql as 'select n.title';
