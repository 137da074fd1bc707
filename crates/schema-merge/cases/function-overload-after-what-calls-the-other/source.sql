create policy scored on notes using (score()::text <> body);
create function score(a double precision default null) returns double precision language sql as 'select $1';
