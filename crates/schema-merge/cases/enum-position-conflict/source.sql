alter type status add value 'n' before 'a';
