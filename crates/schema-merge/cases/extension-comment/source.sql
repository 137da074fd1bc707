comment on extension citext is 'ours';
