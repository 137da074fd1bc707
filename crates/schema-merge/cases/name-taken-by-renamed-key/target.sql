alter index notes_pkey rename to letters;
