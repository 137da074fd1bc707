alter table parents alter notes type text using notes::text;
