alter table notes alter title type text collate "C"; alter table notes add column z text collate "POSIX";
