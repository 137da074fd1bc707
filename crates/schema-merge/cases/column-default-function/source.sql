create function other_score() returns int language sql as 'select 2'; alter table notes alter score set default other_score(); drop function next_score();
