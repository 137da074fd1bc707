drop text search configuration ours;
