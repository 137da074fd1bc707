reset role; alter table notes owner to tester;
