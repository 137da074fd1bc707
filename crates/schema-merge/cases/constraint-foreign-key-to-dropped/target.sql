drop table p;
