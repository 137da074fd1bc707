create table letters (postage int) inherits (notes);
