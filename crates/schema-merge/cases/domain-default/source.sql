alter domain a set default 5; alter domain b set default 6; alter domain c drop default;
