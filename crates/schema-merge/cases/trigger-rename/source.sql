alter trigger a on notes rename to b;
