create view bodies as select body from texts;
