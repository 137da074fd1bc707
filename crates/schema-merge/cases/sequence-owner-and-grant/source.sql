reset role; comment on sequence s is 'x'; revoke usage on sequence s from anon; grant select on sequence s to authenticated; alter sequence s owner to tester;
