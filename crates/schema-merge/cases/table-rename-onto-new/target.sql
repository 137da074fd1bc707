create table articles (id int);
