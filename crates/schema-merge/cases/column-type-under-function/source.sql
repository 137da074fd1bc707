drop function top(); alter table notes alter score type bigint; create function top() returns bigint language sql begin atomic select max(score) from notes; end;
