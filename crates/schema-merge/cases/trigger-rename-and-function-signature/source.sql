alter trigger a on t rename to b;
