alter type person add attribute email text cascade;
alter type person drop attribute born cascade;
drop view tall;
alter type person alter attribute height type bigint cascade;
create view tall as select name from people where height > 180;
