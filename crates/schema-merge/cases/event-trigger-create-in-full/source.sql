reset role;
create event trigger watch on ddl_command_end when tag in ('CREATE TABLE', 'DROP TABLE') execute function public.note();
alter event trigger watch disable;
comment on event trigger watch is 'sees';
