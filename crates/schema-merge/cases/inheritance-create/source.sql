create table staff (salary int) inherits (people); create index staff_i on staff (salary);
