reset role; comment on materialized view m is 'x'; grant select on m to anon; alter materialized view m owner to tester;
