alter type status add value 'review' after 'draft';
-- next
alter table t alter s set default 'review';
