drop view c; drop view b; drop view a;
