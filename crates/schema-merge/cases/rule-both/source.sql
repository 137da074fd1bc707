create rule a as on update to notes where new.score = 1 do instead nothing;
