create or replace procedure p() language sql as 'select 2';
