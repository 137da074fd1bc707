create rule a as on update to notes where new.score = 2 do instead nothing;
