reset role; comment on type address is 'a'; revoke usage on type address from public; grant usage on type address to authenticated; alter type address owner to tester;
