reset role; alter table notes owner to tester; alter function f() owner to tester; create table by_tester (id int); create view v_by_tester as select 1 as one;
