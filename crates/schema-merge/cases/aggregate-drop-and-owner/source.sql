drop aggregate total(int); reset role; alter aggregate other(int) owner to tester;
