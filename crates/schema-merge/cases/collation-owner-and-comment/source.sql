reset role; comment on collation plain is 'x'; alter collation plain owner to tester;
