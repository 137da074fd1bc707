alter table wholes drop constraint wholes_pkey;
