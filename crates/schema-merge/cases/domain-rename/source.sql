alter domain d rename to positive;
