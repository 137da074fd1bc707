create schema third;
