drop collation plain;
