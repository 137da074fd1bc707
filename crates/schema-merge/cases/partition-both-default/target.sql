create table parts_y partition of parts default;
