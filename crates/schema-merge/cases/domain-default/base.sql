create domain a as int; create domain b as int default 1; create domain c as int default 1;
