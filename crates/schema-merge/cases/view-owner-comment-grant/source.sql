reset role; comment on view v is 'x'; revoke select on v from anon; grant select (title), update (title) on v to anon; alter view v owner to tester;
