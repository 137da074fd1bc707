create table people (first text, last text);
