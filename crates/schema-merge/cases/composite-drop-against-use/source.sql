drop type address;
