revoke update on notes from anon;
