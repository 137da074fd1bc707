alter table tied alter name set default 'nobody';
