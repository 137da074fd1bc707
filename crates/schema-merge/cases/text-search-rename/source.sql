alter text search configuration docs rename to documents; alter text search dictionary english_words rename to stems;
