alter table staff add column room text;
