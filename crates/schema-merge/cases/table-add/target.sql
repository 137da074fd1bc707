alter table notes add column extra text;
