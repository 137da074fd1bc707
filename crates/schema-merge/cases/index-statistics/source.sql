alter index i alter column 1 set statistics 500;
