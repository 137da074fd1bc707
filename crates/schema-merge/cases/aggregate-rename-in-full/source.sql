alter aggregate total(integer) rename to grand_total;
