alter table people drop constraint old; alter table people add constraint new check (id > 1); alter table people add constraint own check (name <> '') no inherit;
