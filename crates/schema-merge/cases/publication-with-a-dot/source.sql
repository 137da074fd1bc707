reset role; create publication "do.t" for table notes;
