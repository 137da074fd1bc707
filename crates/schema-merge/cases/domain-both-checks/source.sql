alter domain d add constraint a check (value > 0);
