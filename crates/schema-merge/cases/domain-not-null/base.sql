create domain a as int; create domain b as int not null;
