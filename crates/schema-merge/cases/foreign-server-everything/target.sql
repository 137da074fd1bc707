reset role; create server mine foreign data wrapper w;
