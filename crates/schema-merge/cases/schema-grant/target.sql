revoke usage on schema app from anon; grant create on schema app to authenticated;
