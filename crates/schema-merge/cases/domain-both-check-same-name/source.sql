alter domain d add constraint c check (value > 0);
