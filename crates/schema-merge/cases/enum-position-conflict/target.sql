alter type status add value 'n' after 'b';
