alter table wholes rename column a to b;
