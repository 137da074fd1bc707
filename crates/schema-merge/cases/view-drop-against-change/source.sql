drop view a;
