create table parts_x partition of parts default;
