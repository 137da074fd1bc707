grant select on notes to public;
