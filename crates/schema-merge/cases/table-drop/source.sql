drop table old_things;
