alter type address add attribute zip int;
