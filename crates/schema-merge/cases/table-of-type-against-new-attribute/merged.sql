alter type person add attribute email text cascade, add attribute born date cascade;
