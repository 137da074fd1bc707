drop type status;
