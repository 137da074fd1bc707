alter function f() immutable;
