alter type person add attribute phone text cascade;
