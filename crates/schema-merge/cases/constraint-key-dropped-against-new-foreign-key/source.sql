alter table p drop constraint p_key;
