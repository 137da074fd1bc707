alter table wholes alter extra set statistics 50;
