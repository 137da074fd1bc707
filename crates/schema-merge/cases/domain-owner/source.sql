reset role; alter domain d owner to tester;
