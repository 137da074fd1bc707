revoke truncate, references on notes from anon; grant select on notes to public; grant insert on notes to authenticated with grant option;
