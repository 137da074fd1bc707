alter text search dictionary english_words (language = german, stopwords);
alter text search configuration docs alter mapping for word with simple, english_words;
alter text search configuration docs drop mapping for numword;
alter text search configuration docs add mapping for email with simple;
