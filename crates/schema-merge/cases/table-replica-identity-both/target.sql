alter table a replica identity nothing;
