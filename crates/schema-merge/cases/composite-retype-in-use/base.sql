create type point2 as (x int, y int);
create type segment as (a point2, b point2);
create table shapes (id int, p point2, ps point2[], l segment);
insert into shapes values (1, row(1,2), array[row(3,4)::point2], '("(1,2)","(3,4)")');
create view xs as select (p).x as x from shapes;
create function move(p point2) returns point2 language sql immutable as 'select p';
comment on column point2.y is 'kept';
