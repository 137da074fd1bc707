alter type level add value 'c';
