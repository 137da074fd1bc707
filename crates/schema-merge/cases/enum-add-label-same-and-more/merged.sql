alter type level add value 'top';
