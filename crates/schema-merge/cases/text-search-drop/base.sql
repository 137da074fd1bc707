create text search dictionary english_words (template = snowball, language = english, stopwords = english);
create text search configuration docs (parser = default);
alter text search configuration docs add mapping for asciiword, word with english_words;
alter text search configuration docs add mapping for numword with simple;
create table pages (id int primary key, body text);
