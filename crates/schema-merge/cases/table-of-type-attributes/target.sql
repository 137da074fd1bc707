create index people_by_name on people (name);
