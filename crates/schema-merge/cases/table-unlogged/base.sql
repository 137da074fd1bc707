create table cache (k text, v text);
