alter type level add value 'medium' before 'high';
