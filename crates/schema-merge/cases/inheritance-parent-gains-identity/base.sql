create table notes (title text);
create table letters (postage int) inherits (notes);
