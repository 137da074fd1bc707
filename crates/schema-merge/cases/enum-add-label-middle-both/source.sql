alter type level add value 'mid' before 'high'; alter type level add value 'upper' before 'high';
