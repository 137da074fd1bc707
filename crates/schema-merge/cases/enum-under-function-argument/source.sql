alter type level rename to grade;
