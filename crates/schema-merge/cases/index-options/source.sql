alter index i reset (fillfactor); alter index j set (fillfactor = 60);
