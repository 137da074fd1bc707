reset role; alter text search configuration docs owner to tester; alter text search dictionary english_words owner to tester;
