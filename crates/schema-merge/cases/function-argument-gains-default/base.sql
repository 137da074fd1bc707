create table notes (id int, owner text);
create function may(a int, b int) returns boolean language sql stable as 'select a = b';
create function was(a int, b int default 3) returns boolean language sql stable as 'select a = b';
create policy p on notes using (may(id, 1));
create policy q on notes using (was(id, 1));
