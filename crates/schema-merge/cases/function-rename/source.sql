alter function f(int) rename to g;
