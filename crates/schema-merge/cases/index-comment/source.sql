comment on index i is 'by a';
