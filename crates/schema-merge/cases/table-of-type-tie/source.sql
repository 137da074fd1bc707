alter table loose of person;
alter table tied not of;
alter table tied add column email text;
