alter table people drop column extra;
