create table letters () inherits (notes);
create view titles as select title from letters;
