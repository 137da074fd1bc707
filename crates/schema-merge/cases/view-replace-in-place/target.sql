grant select on w to anon;
