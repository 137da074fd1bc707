alter table a cluster on a_y; alter table b set without cluster;
