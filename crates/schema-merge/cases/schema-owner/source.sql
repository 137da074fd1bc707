reset role; alter schema app owner to tester;
