alter view v rename column title to heading;
