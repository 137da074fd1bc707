comment on constraint positive on below is 'said of the child'; alter table above add column b int;
