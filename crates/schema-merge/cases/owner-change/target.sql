alter table notes add column z int; grant select on notes to anon;
