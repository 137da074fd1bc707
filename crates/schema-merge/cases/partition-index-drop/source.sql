drop index parts_b;
