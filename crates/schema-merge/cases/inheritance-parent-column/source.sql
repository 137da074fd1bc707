alter table people add column born date default '2000-01-01';
