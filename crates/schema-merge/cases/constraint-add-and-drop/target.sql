alter table notes add constraint body_ok check (body <> '');
