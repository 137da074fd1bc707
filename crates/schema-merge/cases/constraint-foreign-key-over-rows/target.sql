insert into c values (5);
