grant select (body) on listed to anon;
