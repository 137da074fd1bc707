alter type level add value 'high';
