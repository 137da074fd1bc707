alter domain d validate constraint a;
alter domain d rename constraint b to limit_b;
alter domain d drop constraint c;
alter domain d add constraint e check (value <> 7) not valid;
alter domain d set default 1;
