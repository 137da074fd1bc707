grant select on notes to authenticated;
