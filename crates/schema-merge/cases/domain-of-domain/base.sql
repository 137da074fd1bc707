create function ok(text) returns boolean language sql immutable as 'select $1 <> ''''';
