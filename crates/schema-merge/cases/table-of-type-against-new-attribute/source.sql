alter type person add attribute email text, add attribute born date;
