comment on schema "sch; drop schema public; --" is E'x''\\';
