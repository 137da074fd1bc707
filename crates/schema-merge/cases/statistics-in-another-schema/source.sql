drop statistics aside.pairs; drop schema aside;
