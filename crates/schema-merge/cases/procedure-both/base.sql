create procedure p() language sql as 'select 1'; create procedure q() language sql as 'select 1';
