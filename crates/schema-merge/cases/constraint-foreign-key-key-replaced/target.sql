alter table p drop constraint k; alter table p add constraint k primary key (b);
