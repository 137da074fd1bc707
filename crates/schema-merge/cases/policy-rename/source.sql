alter policy a on notes rename to b;
