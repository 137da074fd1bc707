create index people_i on people (id);
