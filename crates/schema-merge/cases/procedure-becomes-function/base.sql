create procedure p(a int) language plpgsql as 'begin null; end';
