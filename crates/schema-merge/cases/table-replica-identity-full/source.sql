alter table a replica identity full; alter table b replica identity nothing; alter table c replica identity default;
