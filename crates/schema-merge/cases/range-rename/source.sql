alter type span rename to extent;
