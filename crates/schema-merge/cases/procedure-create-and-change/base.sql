create procedure p(a int) language plpgsql as 'begin null; end'; create procedure q() language sql as 'select 1';
