create table zebra (a int); create function aardvark(int) returns boolean language plpgsql immutable as 'begin return $1 > 0; end'; alter table zebra add constraint ok check (aardvark(a));
