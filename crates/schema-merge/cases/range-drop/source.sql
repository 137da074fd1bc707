drop type span;
