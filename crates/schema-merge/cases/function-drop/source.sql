drop trigger g on notes; drop function g(); drop function f();
