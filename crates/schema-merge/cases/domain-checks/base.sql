create domain d as int constraint low check (value > 0) constraint high check (value < 100) constraint odd check (value % 2 = 1);
