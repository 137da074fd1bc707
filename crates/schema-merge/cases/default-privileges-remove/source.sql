alter default privileges in schema public revoke select, insert, update, delete on tables from authenticated;
