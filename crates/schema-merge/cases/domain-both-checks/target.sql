alter domain d add constraint b check (value < 10);
