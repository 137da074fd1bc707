alter default privileges in schema public revoke insert on tables from authenticated; alter default privileges in schema public grant select on tables to anon;
