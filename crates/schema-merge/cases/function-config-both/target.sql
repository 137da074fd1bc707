alter function f() set work_mem = '8MB';
