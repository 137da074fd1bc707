alter table notes add column extra text; alter table notes alter column title drop not null;
