create or replace procedure p() language sql as 'select 3'; create or replace procedure q() language sql as 'select 4';
