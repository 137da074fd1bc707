alter table "My Table" drop column "select";
