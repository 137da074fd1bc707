alter text search configuration docs alter mapping for word with english_words, simple;
