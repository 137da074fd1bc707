alter table parts add column note text;
