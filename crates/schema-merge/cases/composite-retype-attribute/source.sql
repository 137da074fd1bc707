alter type address alter attribute zip type bigint;
