alter text search configuration docs add mapping for host with simple;
comment on text search configuration docs is 'for pages';
