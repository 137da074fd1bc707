alter function f(int) set schema lib;
