comment on schema a is 'eins'; comment on schema b is null; comment on schema c is 'drei';
