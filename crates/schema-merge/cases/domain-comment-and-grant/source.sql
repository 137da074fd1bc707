comment on domain d is 'b'; revoke usage on domain d from public; grant usage on domain d to authenticated with grant option;
