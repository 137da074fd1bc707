alter table order_items add column note text;
