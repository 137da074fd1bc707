alter type level add value 'mid' before 'high';
