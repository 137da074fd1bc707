alter table t drop constraint t_status;
alter table t add constraint t_status check (status in ('new', 'old', 'it''s'));
create index t_open on t (id) where status in ('new', 'old');
create view open_t as select id from t where status in ('new', 'x');
