alter type person add attribute email text cascade;
