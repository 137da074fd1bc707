alter table parts add column d text default 'x'; alter table parts alter b type bigint; alter table parts drop column c;
