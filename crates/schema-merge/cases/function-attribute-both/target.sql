alter function f() stable;
