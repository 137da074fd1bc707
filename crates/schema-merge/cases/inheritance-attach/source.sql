alter table a inherit people; alter table b no inherit people;
