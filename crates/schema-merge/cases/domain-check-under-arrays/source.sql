alter domain positive drop constraint ok;
