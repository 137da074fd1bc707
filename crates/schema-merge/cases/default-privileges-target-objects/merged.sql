create table t (id int); revoke select on t from anon; grant insert on t to authenticated;
