revoke select on notes from anon;
