reset role;
drop event trigger watch;
create event trigger watch on sql_drop execute function public.note();
alter event trigger other enable always;
