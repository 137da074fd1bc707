drop conversion old_one;
create conversion new_one for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1;
comment on conversion new_one is 'west';
