alter type person rename to human;
alter table people rename to folk;
