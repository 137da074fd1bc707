create schema a; create schema b; create schema c; comment on schema a is 'one'; comment on schema b is 'two';
