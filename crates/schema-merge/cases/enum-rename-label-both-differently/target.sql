alter type level rename value 'mid' to 'middle';
