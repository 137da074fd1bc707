alter table parts attach partition old for values from (0) to (10);
