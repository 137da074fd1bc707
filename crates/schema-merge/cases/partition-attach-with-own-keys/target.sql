comment on table old is 'soon a part'; create index old_late on old (a) where a > 5;
