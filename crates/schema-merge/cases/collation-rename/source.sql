alter collation plain rename to raw;
