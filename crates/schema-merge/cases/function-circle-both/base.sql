create table notes (id int);
create function old(a int) returns int language sql begin atomic select a; end;
