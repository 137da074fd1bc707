alter function f() set search_path = '';
