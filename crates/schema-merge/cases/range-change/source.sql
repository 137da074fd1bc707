drop type span; create type span as range (subtype = numeric);
