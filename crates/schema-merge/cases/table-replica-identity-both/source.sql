alter table a replica identity full;
