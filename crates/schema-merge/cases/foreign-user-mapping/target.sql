reset role; comment on server s is 'theirs';
