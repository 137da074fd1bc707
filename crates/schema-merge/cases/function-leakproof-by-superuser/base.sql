create function a(int) returns boolean language sql as 'select true';
