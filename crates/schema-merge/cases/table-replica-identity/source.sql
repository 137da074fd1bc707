alter table cache replica identity using index cache_k; alter table cache cluster on cache_k;
