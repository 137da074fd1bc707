reset role; alter type level owner to tester;
