revoke usage on type level from public; grant usage on type level to authenticated;
