create type mood2 as enum ('low', 'high');
alter table notes alter moods type mood2[] using moods::text[]::mood2[];
alter table notes alter moods set storage external;
drop type mood;
alter type mood2 rename to mood;
