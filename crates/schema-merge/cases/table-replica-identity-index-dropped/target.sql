alter table a replica identity using index a_id;
