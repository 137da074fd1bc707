create or replace function may(a int, b int default 1) returns boolean language sql stable as 'select a = b';
drop policy q on notes;
drop function was(int, int);
create function was(a int, b int) returns boolean language sql stable as 'select a = b';
create policy q on notes using (was(id, 1));
