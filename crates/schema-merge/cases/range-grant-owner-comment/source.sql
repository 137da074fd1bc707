reset role; comment on type span is 'c'; grant usage on type span to anon; alter type span owner to tester;
