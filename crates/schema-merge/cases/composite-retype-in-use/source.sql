drop function move(point2);
drop view xs;
alter table shapes drop column p, drop column ps, drop column l;
drop type segment;
alter type point2 alter attribute x type bigint;
create type segment as (a point2, b point2);
alter table shapes add p point2, add ps point2[], add l segment;
create view xs as select (p).x as x from shapes;
create function move(p point2) returns point2 language sql immutable as 'select p';
