create text search configuration ours (copy = simple); create table t (a text);
