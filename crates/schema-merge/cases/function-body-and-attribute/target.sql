alter function f() stable; alter function f() set work_mem = '8MB';
