create table order_items (id int primary key, qty int, price numeric(8,2), old text);
