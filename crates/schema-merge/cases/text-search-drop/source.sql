drop text search configuration docs; drop text search dictionary english_words;
