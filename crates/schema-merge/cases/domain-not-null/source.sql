alter domain a set not null; alter domain b drop not null;
