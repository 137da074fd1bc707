create table t (a varchar(10), b varchar(10), c int, d numeric(5,2), e smallint, f varchar(3)); insert into t values ('a', 'b', 1, 1.5, 1, 'abc');
