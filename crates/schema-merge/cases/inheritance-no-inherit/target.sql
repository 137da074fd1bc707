comment on column boss.name is 'who';
