alter aggregate total(int) rename to summed;
