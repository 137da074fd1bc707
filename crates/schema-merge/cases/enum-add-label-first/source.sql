alter type level add value 'low' before 'mid'; alter type level add value 'lower' before 'low'; alter type level add value 'lowest' before 'lower';
