alter type status add value 'review' after 'draft'; alter table t alter s set default 'review';
