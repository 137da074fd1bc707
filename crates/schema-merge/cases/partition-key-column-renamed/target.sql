alter table parts alter extra set statistics 50;
