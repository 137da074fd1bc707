create schema api; create table "Order Items" (id int, "Unit Price" numeric);
